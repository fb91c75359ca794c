import type { ExportFile } from '@tillroll/contract';
import { ExportError } from './errors.ts';
import { backoffMs, throwIfAborted } from './http/backoff.ts';
import { exchange, networkError, type Exchange } from './http/fetch.ts';
import { retryAfterMs } from './http/retry-after.ts';
import type { Transport } from './http/transport.ts';

/** Where a file of an export is, and what is known of it beforehand. */
export interface FileSource {
  /** As the far side names it now. */
  url: string;
  /** Names the file in errors. */
  name: string;
  /** Tillroll promises these; Clover does not. */
  promised: ExportFile | undefined;
  /** A new URL in the place of one that expired. */
  renew: (signal: AbortSignal | undefined) => Promise<string>;
}

/** The bytes that came so far cannot be gone on with: begin again. */
export class Restart extends Error {
  override name = 'Restart';
}

/** Bounds what an unknown file may inflate to; Tillroll promises the length, which is then the bound. */
const MAX_FILE_BYTES = 8 * 1024 ** 3;
const MAX_REDIRECTS = 5;
const EXPIRED = new Set([401, 403, 404, 410]);

/**
 * A file URL that may be fetched: http or https, never http from an API that is https, without a user.
 * @throws ExportError PROTOCOL
 */
export function checkedFileUrl(text: string, base: URL): URL {
  const fault = (why: string): ExportError =>
    new ExportError(
      'PROTOCOL',
      `a file URL ${why}: ${JSON.stringify(text.split('?')[0]?.slice(0, 200))}`,
    );
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw fault('is no URL');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw fault('is neither http nor https');
  if (url.protocol === 'http:' && base.protocol === 'https:') throw fault('leaves https for http');
  if (url.username || url.password) throw fault('holds a user or a password');
  return url;
}

/** On one machine nothing is gained by compressing, and inflating takes as long as all the rest. */
function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
}

/** The bytes of one file, inflated, each chunk once. One object a file; it is used up by one reading. */
export class FileDownload {
  readonly #transport: Transport;
  readonly #source: FileSource;
  readonly #signal: AbortSignal | undefined;
  #received = 0;
  #etag: string | undefined;
  /** Whether it turned out to be gzip that was not announced: then its ranges are not ours. */
  #isPacked = false;

  constructor(transport: Transport, source: FileSource, signal: AbortSignal | undefined) {
    this.#transport = transport;
    this.#source = source;
    this.#signal = signal;
  }

  /**
   * Broken off in the middle, it goes on by Range where the far side has it.
   * @throws Restart, ExportError: GONE, NETWORK, PROTOCOL, BAD_FILE, INTERRUPTED.
   */
  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    const { retry } = this.#transport;
    let attempt = 0;
    let limited = 0;
    let renewals = 0;
    for (;;) {
      const before = this.#received;
      try {
        yield* this.#body();
        return;
      } catch (error) {
        if (error instanceof Restart) throw error;
        const failed = networkError(error, this.#signal);
        if (failed.status !== undefined && EXPIRED.has(failed.status)) {
          if (++renewals > 2) throw failed;
          this.#source.url = await this.#source.renew(this.#signal);
          continue;
        }
        if (failed.status === 429 ? ++limited >= retry.rateLimited : failed.code !== 'NETWORK')
          throw failed;
        if (this.#received > before) attempt = 0;
        if (failed.status !== 429 && ++attempt >= retry.attempts) throw failed;
        await this.#transport.wait(
          failed.status === 429 ? 'rate' : 'retry',
          failed.retryAfterMs ?? backoffMs(attempt + limited, retry),
          `${this.#source.name}: ${failed.message}`,
          this.#signal,
        );
        if (this.#received > 0 && !this.#mayResume()) throw new Restart('no Range here');
      }
    }
  }

  /** Resuming needs a proof that it is still the same file: its checksum at the end, or its ETag now. */
  #mayResume(): boolean {
    return !this.#isPacked && (this.#source.promised !== undefined || this.#etag !== undefined);
  }

  async *#body(): AsyncGenerator<Uint8Array, void, void> {
    const from = this.#received;
    const answered = await this.#open(from);
    try {
      const { response } = answered;
      const { status } = response;
      // The whole file, or no such range: what is there cannot be joined to it.
      if (from > 0 && (status === 200 || status === 416 || status === 412))
        throw new Restart(`Range answered ${status}`);
      if (!response.ok) throw this.#refusal(response);
      if (from > 0) this.#checkRange(response, from);
      else this.#noteTag(response);
      yield* this.#bounded(this.#unpacked(received(answered, this.#signal)));
      this.#checkLength();
    } finally {
      answered.end();
    }
  }

  /** The answer to which the file's URL leads. */
  async #open(from: number): Promise<Exchange> {
    const { connection, retry } = this.#transport;
    let url = checkedFileUrl(this.#source.url, connection.base);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const init = { headers: this.#headers(url, from) };
      const answered = await exchange(url, init, this.#signal, retry.silenceMs);
      const { status, headers } = answered.response;
      if (status < 300 || status >= 400 || status === 304) return answered;
      answered.end();
      const location = new URL(headers.get('location') ?? '', url);
      url = checkedFileUrl(location.href, connection.base);
    }
    throw new ExportError('PROTOCOL', `${this.#source.name} redirects over and over`);
  }

  #headers(url: URL, from: number): Record<string, string> {
    if (from === 0) return { 'accept-encoding': isLoopback(url) ? 'identity' : 'gzip' };
    const headers: Record<string, string> = {
      'accept-encoding': 'identity',
      range: `bytes=${from}-`,
    };
    if (this.#etag !== undefined) headers['if-range'] = this.#etag;
    return headers;
  }

  /** Only a strong tag, and only of the bytes as we count them: inflated. */
  #noteTag({ headers }: Response): void {
    const etag = headers.get('etag') ?? '';
    const isIdentity = (headers.get('content-encoding') ?? 'identity') === 'identity';
    this.#etag = isIdentity && /^"[^"]*"$/.test(etag) ? etag : undefined;
  }

  #checkRange(response: Response, from: number): void {
    const range = response.headers.get('content-range') ?? '';
    if (!range.startsWith(`bytes ${from}-`))
      throw new Restart(`asked for byte ${from}, got ${range}`);
    if ((response.headers.get('content-encoding') ?? 'identity') !== 'identity')
      throw new Restart('a range of another encoding');
  }

  #refusal(response: Response): ExportError {
    const { status } = response;
    const isExpired = EXPIRED.has(status);
    return new ExportError(
      isExpired
        ? 'GONE'
        : status >= 500 || status === 408
          ? 'NETWORK'
          : status === 429
            ? 'UNAVAILABLE'
            : 'REFUSED',
      `${this.#source.name} cannot be downloaded: HTTP ${status}`,
      { status, retryAfterMs: retryAfterMs(response.headers, Date.now()) },
    );
  }

  async *#bounded(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    const limit = this.#source.promised?.bytes ?? MAX_FILE_BYTES;
    for await (const chunk of chunks) {
      if (chunk.length === 0) continue;
      this.#received += chunk.length;
      if (this.#received > limit)
        throw new ExportError('BAD_FILE', `it is longer than ${limit} bytes`);
      yield chunk;
    }
  }

  /** Some stores hand out gzip files as what they are, without saying that they are encoded. */
  async *#unpacked(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    const iterator = chunks[Symbol.asyncIterator]();
    try {
      const first = await iterator.next();
      if (first.done) return;
      const all = withFirst(first.value, iterator);
      this.#isPacked = first.value[0] === 0x1f && first.value[1] === 0x8b && this.#received === 0;
      if (this.#isPacked)
        yield* ReadableStream.from(all).pipeThrough(new DecompressionStream('gzip'));
      else yield* all;
    } finally {
      await iterator.return?.();
    }
  }

  /** A connection that ends early and politely looks like an end. */
  #checkLength(): void {
    const promised = this.#source.promised?.bytes;
    if (promised !== undefined && this.#received < promised)
      throw new ExportError('BAD_FILE', `it has ${this.#received} bytes of ${promised}`);
  }
}

async function* received(
  { response, alive, pause }: Exchange,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of response.body ?? []) {
    pause();
    yield chunk as Uint8Array;
    throwIfAborted(signal);
    alive();
  }
}

async function* withFirst(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  yield first;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}
