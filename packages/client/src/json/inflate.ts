/** Inflates gzip, whole or as a stream, and refuses damaged or endless data. */
import { constants } from 'node:buffer';
import { promisify } from 'node:util';
import { createGunzip, gunzip, type Gunzip } from 'node:zlib';
import { ExportError } from '../errors.ts';

/** A body may be gzip as a content encoding, and its content a gzip file besides. */
const MAX_LAYERS = 2;
/** Input of one step of a stream. Deflate makes at most 1,032 times as much of it. */
const STEP_BYTES = 16 * 1024;
const MAX_RATIO = 1032;
const OUTPUT_BYTES = 256 * 1024;
const MAX_OUTPUT_BYTES = 32 * 1024 * 1024;

const gunzipAsync = promisify(gunzip);

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Tells whether bytes begin like gzip. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Inflates gzip of one or several members, with zero bytes as padding behind each, also where the content
 * is gzip again; beside the calling thread. Returns other bytes as they are.
 * @returns undefined when the content is longer than `limit` bytes.
 * @throws ExportError BAD_FILE: damaged, cut off, or followed by something else.
 */
export async function inflateWhole(bytes: Buffer, limit: number): Promise<Buffer | undefined> {
  let content: Buffer | undefined = bytes;
  for (let layer = 0; content && layer < MAX_LAYERS && isGzip(content); layer++)
    content = await inflateMembers(content, limit);
  return content && content.length <= limit ? content : undefined;
}

async function inflateMembers(bytes: Buffer, limit: number): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let length = 0;
  for (let at = 0; at < bytes.length; at = skipZeros(bytes, at)) {
    const rest = bytes.subarray(at);
    const options = {
      info: true,
      chunkSize: outputBytes(rest),
      maxOutputLength: Math.max(1, Math.min(limit - length, constants.MAX_LENGTH)),
    };
    try {
      // The types of Node know the result without `info` alone.
      const { buffer, engine } = (await gunzipAsync(rest, options)) as unknown as {
        buffer: Buffer;
        engine: Gunzip;
      };
      pieces.push(buffer);
      length += buffer.length;
      at += engine.bytesWritten;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return undefined;
      throw damagedError(error);
    }
  }
  const [only] = pieces;
  return pieces.length === 1 ? only : Buffer.concat(pieces, length);
}

/** A buffer of the length that gzip states at its end saves copying; it may state anything. */
function outputBytes(bytes: Buffer): number {
  const stated = bytes.length >= 4 ? bytes.readUInt32LE(bytes.length - 4) + 1 : 0;
  const most = Math.min(MAX_OUTPUT_BYTES, bytes.length * MAX_RATIO);
  return Math.max(16 * 1024, Math.min(stated, most));
}

/**
 * Inflates a stream as `inflateWhole` does a buffer, in memory of about 20 MB at most. Each chunk of the result belongs to the caller.
 * @throws ExportError BAD_FILE as soon as it is known.
 */
export async function* inflate(
  chunks: Chunks,
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer, void, void> {
  let content = await peek(chunks);
  for (let layer = 0; layer < MAX_LAYERS && isGzip(content.head); layer++)
    content = await peek(bounded(inflateSteps(content.chunks), limit));
  yield* bounded(content.chunks, limit);
}

/** Reads the first two bytes, and returns them with the whole. */
async function peek(chunks: Chunks): Promise<{ head: Buffer; chunks: AsyncGenerator<Buffer> }> {
  const rest = asBuffers(chunks);
  const first: Buffer[] = [];
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 2) {
    const next = await rest.next();
    if (next.done) break;
    first.push(next.value);
    head = Buffer.concat([head, next.value.subarray(0, 2)]);
  }
  return { head, chunks: joined(first, rest) };
}

async function* asBuffers(chunks: Chunks): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of chunks)
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

async function* joined(
  first: readonly Buffer[],
  rest: AsyncGenerator<Buffer>,
): AsyncGenerator<Buffer, void, void> {
  try {
    yield* first;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

async function* bounded(
  chunks: AsyncIterable<Buffer>,
  limit: number,
): AsyncGenerator<Buffer, void, void> {
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > limit) throw tooLongError(limit);
    yield chunk;
  }
}

async function* inflateSteps(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let members: GzipMembers | undefined;
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) {
        if (!members) {
          at = skipZeros(chunk, at);
          if (at === chunk.length) break;
          members = new GzipMembers();
        }
        const { output, used } = await members.step(chunk.subarray(at, at + STEP_BYTES));
        at += used;
        yield* output;
        if (!members.isEnded) continue;
        members.close();
        members = undefined;
      }
    }
    if (members) yield* (await members.step(undefined)).output;
  } finally {
    members?.close();
  }
}

/** Gzip members up to padding, inflated step by step, so that the consumed input is known exactly. */
class GzipMembers {
  readonly #gunzip = createGunzip({ chunkSize: OUTPUT_BYTES });
  #output: Buffer[] = [];
  #finishStep: (error?: unknown) => void = () => undefined;
  /** Padding or the end of the input follows. */
  isEnded = false;

  constructor() {
    this.#gunzip.on('data', (chunk: Buffer) => this.#output.push(chunk));
    this.#gunzip.on('error', (error) => this.#finishStep(error));
    this.#gunzip.on('end', () => {
      this.isEnded = true;
      this.#finishStep();
    });
  }

  /** @param input undefined: nothing follows. @throws ExportError BAD_FILE */
  async step(input: Buffer | undefined): Promise<{ output: Buffer[]; used: number }> {
    const before = this.#gunzip.bytesWritten;
    const step = Promise.withResolvers<void>();
    this.#finishStep = (error) => (error ? step.reject(damagedError(error)) : step.resolve());
    if (input) this.#gunzip.write(input, (error) => this.#finishStep(error));
    else this.#gunzip.end();
    await step.promise;
    const output = this.#output;
    this.#output = [];
    return { output, used: this.#gunzip.bytesWritten - before };
  }

  close(): void {
    this.#gunzip.destroy();
  }
}

function skipZeros(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] === 0) at++;
  return at;
}

function damagedError(cause: unknown): ExportError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ExportError('BAD_FILE', `its gzip data is damaged: ${reason}`, { cause });
}

function tooLongError(limit: number): ExportError {
  return new ExportError('BAD_FILE', `it is longer than ${limit} bytes`);
}
