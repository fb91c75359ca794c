/** Keeps the files of exports in a bucket of an S3 server. */
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type ListMultipartUploadsCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { EXPORT_ID } from '@tillroll/contract';
import type { S3Address } from './address.ts';
import { IDENTITY_FILE, formatIdentity, parseIdentity } from './identity.ts';
import { createS3Client } from './s3-client.ts';
import { download, type GetObject } from './s3-download.ts';
import { describeS3, findS3Code, requestS3 } from './s3-errors.ts';
import { S3Uploads } from './s3-uploads.ts';
import { FileMissing, type Storage, type StoredAttempt, type StoredFile } from './storage.ts';

/** One name for all processes: whatever happens to one of them, no objects accumulate. */
const PROBE = '.probe';
/** Deletions under way at once. One request each: several stores answer batches wrongly. */
const DELETES = 16;
const PRESIGNED_S = 60;
/** Answers to a write under the condition that there is no such object yet. */
const LOST_THE_RACE = ['PreconditionFailed', 'ConditionalRequestConflict'];
/** The prefix of an attempt, below the prefix of the store: `<export id>/<attempt>/`. */
const ATTEMPT = /^([0-9A-Z]+)\/([0-9]{1,9})\//;
const ATTEMPT_REST = /^([0-9A-Z]+\/[0-9]{1,9})\/.*$/s;

/** Files in a bucket of an S3 server. */
export class S3Storage implements Storage {
  readonly location: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #uploads: S3Uploads;

  constructor(address: S3Address) {
    this.location = describeS3(address);
    this.#client = createS3Client(address);
    this.#bucket = address.bucket;
    this.#prefix = address.prefix;
    this.#uploads = new S3Uploads(this.#client, address.bucket, this.location);
  }

  async write(key: string, content: Readable, signal: AbortSignal): Promise<StoredFile> {
    return this.#uploads.upload(`${this.#prefix}${key}`, content, signal);
  }

  async syncDirectories(): Promise<void> {
    // S3 answers a write once it is durable, names included.
  }

  async read(key: string, range?: { start: number; end: number }): Promise<Readable> {
    try {
      return await download(this.#getObject(key), range);
    } catch (error) {
      if (findS3Code(error) !== 'NoSuchKey') throw error;
      throw new FileMissing(`no object ${this.#prefix}${key}`, { cause: error });
    }
  }

  async removePrefix(prefix: string): Promise<void> {
    // Uploads first: one that is completed meanwhile is an object then.
    for await (const { Key, UploadId } of this.#listUploads(prefix)) {
      await this.#abortUpload(Key, UploadId);
    }
    // Each page is deleted before the next is asked for.
    for (let isTruncated = true; isTruncated;) {
      const page = await this.#listPage(prefix);
      for (let at = 0; at < page.keys.length; at += DELETES) {
        await Promise.all(page.keys.slice(at, at + DELETES).map((key) => this.#delete(key)));
      }
      ({ isTruncated } = page);
    }
  }

  async *listAttempts(): AsyncIterable<StoredAttempt> {
    const seen = new Set<string>();
    const parse = (key: string): StoredAttempt | null => {
      const [text, exportId = '', attempt] = ATTEMPT.exec(key.slice(this.#prefix.length)) ?? [];
      if (text === undefined || !EXPORT_ID.test(exportId) || seen.has(text)) return null;
      seen.add(text);
      return { exportId, attempt: Number(attempt) };
    };
    let page = await this.#listPage('');
    for (;;) {
      for (const key of page.keys) {
        const attempt = parse(key);
        if (attempt) yield attempt;
      }
      const last = page.keys.at(-1);
      if (!page.isTruncated || last === undefined) break;
      // The rest of an attempt's files need not be listed: "0" is what comes after "/".
      const rest = last.slice(this.#prefix.length);
      page = await this.#listPage('', rest.replace(ATTEMPT_REST, '$10'));
    }
    // An attempt that was cut off in its first large file has nothing but parts.
    for await (const { Key } of this.#listUploads('')) {
      const attempt = parse(Key);
      if (attempt) yield attempt;
    }
  }

  async readIdentity(): Promise<string | null> {
    const content = await this.read(IDENTITY_FILE).catch((error: unknown) => {
      if (error instanceof FileMissing) return null;
      throw error;
    });
    return content && parseIdentity(`${this.location}${IDENTITY_FILE}`, await text(content));
  }

  async createIdentity(id: string): Promise<boolean> {
    if ((await this.readIdentity()) !== null) return false;
    const command = new PutObjectCommand({
      Bucket: this.#bucket,
      Key: `${this.#prefix}${IDENTITY_FILE}`,
      Body: formatIdentity(id),
      ContentType: 'application/json',
      IfNoneMatch: '*',
    });
    await this.#request('writing', () => this.#client.send(command)).catch((error: unknown) => {
      // Another one is there by now, or is being written.
      if (!LOST_THE_RACE.includes(findS3Code(error))) throw error;
    });
    // For servers that do not know the condition: the last writer's is the store's.
    return (await this.readIdentity()) === id;
  }

  readFreeBytes(): Promise<null> {
    return Promise.resolve(null);
  }

  async check(): Promise<void> {
    const probe = { Bucket: this.#bucket, Key: `${this.#prefix}${PROBE}` };
    await this.#request('writing', () =>
      this.#client.send(new PutObjectCommand({ ...probe, Body: 'tillroll' })),
    );
    await this.#delete(probe.Key);
  }

  /**
   * Signs a URL for a file, good for 60 s.
   * @param signedAt by PostgreSQL's clock, epoch milliseconds: this process's may be wrong.
   */
  async presign(key: string, signedAt: number): Promise<string> {
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: `${this.#prefix}${key}` });
    return this.#request('signing a URL', () =>
      getSignedUrl(this.#client, command, {
        expiresIn: PRESIGNED_S,
        signingDate: new Date(signedAt),
      }),
    );
  }

  #getObject(key: string): GetObject {
    const object = { Bucket: this.#bucket, Key: `${this.#prefix}${key}` };
    return (Range, IfMatch) => {
      const command = new GetObjectCommand({ ...object, Range, IfMatch });
      return this.#request('reading', () => this.#client.send(command));
    };
  }

  async #delete(key: string): Promise<void> {
    await this.#request('deleting', () =>
      this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key })),
    );
  }

  async #abortUpload(Key: string, UploadId: string): Promise<void> {
    const upload = { Bucket: this.#bucket, Key, UploadId };
    const command = new AbortMultipartUploadCommand(upload);
    await this.#request('removing', () => this.#client.send(command)).catch((error: unknown) => {
      // Completed or aborted by now.
      if (findS3Code(error) !== 'NoSuchUpload') throw error;
    });
  }

  /** The first page of the keys below a prefix of ours, after a key of ours, in their order. */
  async #listPage(prefix: string, after = ''): Promise<{ keys: string[]; isTruncated: boolean }> {
    const command = new ListObjectsV2Command({
      Bucket: this.#bucket,
      Prefix: `${this.#prefix}${prefix}`,
      ...(after !== '' && { StartAfter: `${this.#prefix}${after}` }),
    });
    const { Contents = [], IsTruncated = false } = await this.#request('listing', () =>
      this.#client.send(command),
    );
    const keys = Contents.map(({ Key }) => Key).filter((key) => key !== undefined);
    return { keys, isTruncated: IsTruncated };
  }

  /** Multipart uploads under way, or cut off, below a prefix of ours. */
  async *#listUploads(prefix: string): AsyncIterable<{ Key: string; UploadId: string }> {
    let from: Pick<ListMultipartUploadsCommandOutput, 'NextKeyMarker' | 'NextUploadIdMarker'> = {};
    for (;;) {
      const page = await this.#listUploadsPage(prefix, from);
      for (const { Key, UploadId } of page.Uploads ?? [])
        if (Key !== undefined && UploadId !== undefined) yield { Key, UploadId };
      if (!page.IsTruncated || page.NextKeyMarker === undefined) return;
      from = page;
    }
  }

  async #listUploadsPage(
    prefix: string,
    from: Pick<ListMultipartUploadsCommandOutput, 'NextKeyMarker' | 'NextUploadIdMarker'>,
  ): Promise<Pick<ListMultipartUploadsCommandOutput, 'Uploads' | 'IsTruncated' | 'NextKeyMarker'>> {
    const command = new ListMultipartUploadsCommand({
      Bucket: this.#bucket,
      Prefix: `${this.#prefix}${prefix}`,
      KeyMarker: from.NextKeyMarker,
      UploadIdMarker: from.NextUploadIdMarker,
    });
    return this.#request('listing', () => this.#client.send(command)).catch((error: unknown) => {
      // A server without this listing cannot say what was cut off: a lifecycle rule of the bucket ends it.
      if (findS3Code(error) === 'NotImplemented') return {};
      throw error;
    });
  }

  #request<T>(operation: string, send: () => Promise<T>): Promise<T> {
    return requestS3(this.location, operation, send);
  }
}
