/** Writes files to S3: small ones in one request, large ones in parts. */
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
  type S3Client,
} from '@aws-sdk/client-s3';
import { FairSemaphore } from '../fair-semaphore.ts';
import { findMediaType } from './keys.ts';
import { findS3Code, requestS3 } from './s3-errors.ts';
import type { StoredFile } from './storage.ts';

/** The smallest that S3 takes for a part which is not the last. */
const PART_BYTES = 5 * 1024 * 1024;
/** Files on their way at once, each with at most one part in memory. The others wait, and so does their source. */
const MAX_UPLOADS = 8;
/** Longest wait of a file for its turn: behind files of an export whose source stands still. */
const WAIT_MS = 10 * 60_000;
const ABORT_MS = 10_000;

/** Metadata of every file: a client that is redirected gets these headers from the store. */
const HEADERS = {
  ContentEncoding: 'gzip',
  CacheControl: 'private, no-store',
} as const;

function describeFile(key: string): typeof HEADERS & { ContentType: string } {
  return { ...HEADERS, ContentType: findMediaType(key) };
}

interface Target {
  readonly Bucket: string;
  readonly Key: string;
}

/** Writes files of unknown length: a small one in one request, a large one in parts. */
export class S3Uploads {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #location: string;
  readonly #turns = new FairSemaphore({
    permits: MAX_UPLOADS,
    waiting: Number.POSITIVE_INFINITY,
    waitMs: WAIT_MS,
  });

  /** @param location for messages. */
  constructor(client: S3Client, bucket: string, location: string) {
    this.#client = client;
    this.#bucket = bucket;
    this.#location = location;
  }

  /** @throws whatever the content or the server fails with; the signal's reason when it aborts. */
  async upload(Key: string, content: Readable, signal: AbortSignal): Promise<StoredFile> {
    return this.#turns.run('', () => this.#upload(Key, content, signal), signal);
  }

  async #upload(Key: string, content: Readable, signal: AbortSignal): Promise<StoredFile> {
    const target = { Bucket: this.#bucket, Key };
    const blocks = cutBlocks(content, signal);
    const first = await blocks.next();
    const Body = first.done ? Buffer.alloc(0) : first.value;
    // Only the last block is shorter than a part.
    if (Body.length >= PART_BYTES) return await this.#uploadParts(target, Body, blocks, signal);
    const put = new PutObjectCommand({ ...target, ...describeFile(Key), Body });
    const { ETag } = await this.#write(signal, (options) => this.#client.send(put, options));
    return { bytes: Body.length, etag: ETag ?? null };
  }

  async #uploadParts(
    target: Target,
    first: Buffer,
    rest: AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<StoredFile> {
    const create = new CreateMultipartUploadCommand({ ...target, ...describeFile(target.Key) });
    const { UploadId } = await this.#write(signal, (options) => this.#client.send(create, options));
    const Parts: CompletedPart[] = [];
    let bytes = 0;
    const send = async (Body: Buffer): Promise<void> => {
      const PartNumber = Parts.length + 1;
      const part = new UploadPartCommand({ ...target, UploadId, PartNumber, Body });
      const { ETag } = await this.#write(signal, (options) => this.#client.send(part, options));
      Parts.push({ PartNumber, ETag });
      bytes += Body.length;
    };
    try {
      await send(first);
      for await (const block of rest) await send(block);
      const complete = new CompleteMultipartUploadCommand({
        ...target,
        UploadId,
        MultipartUpload: { Parts },
      });
      const { ETag } = await this.#write(signal, (options) =>
        this.#client.send(complete, options),
      ).catch((error: unknown) => this.#findCompleted(target, bytes, error));
      return { bytes, etag: ETag ?? null };
    } catch (error) {
      const bound = AbortSignal.timeout(ABORT_MS);
      await this.#client
        .send(new AbortMultipartUploadCommand({ ...target, UploadId }), { abortSignal: bound })
        // The attempt's prefix is removed with what is left of it, by the sweep at the latest.
        .catch(() => undefined);
      throw error;
    }
  }

  #write<T>(
    signal: AbortSignal,
    send: (options: { abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    return requestS3(this.#location, 'writing', () => send({ abortSignal: signal }), signal);
  }

  /** A completion whose answer was lost is tried again by the SDK, and then finds no upload: the object is there. */
  async #findCompleted(
    target: Target,
    bytes: number,
    error: unknown,
  ): Promise<{ ETag?: string | undefined }> {
    if (findS3Code(error) !== 'NoSuchUpload') throw error;
    const head = await this.#client.send(new HeadObjectCommand(target)).catch(() => null);
    if (head?.ContentLength !== bytes) throw error;
    return head;
  }
}

/** Collects a stream into blocks of exactly `PART_BYTES`, and a shorter last one. An empty stream has none. */
async function* cutBlocks(content: Readable, signal: AbortSignal): AsyncGenerator<Buffer, void> {
  let pieces: Buffer[] = [];
  let held = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    signal.throwIfAborted();
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + PART_BYTES - held);
      pieces.push(piece);
      held += piece.length;
      at += piece.length;
      if (held < PART_BYTES) continue;
      yield Buffer.concat(pieces);
      pieces = [];
      held = 0;
    }
  }
  if (held > 0) yield Buffer.concat(pieces);
}
