/** Downloads one raw file: retries, ranges, redirects and expired URLs. */
import type { ExportApi } from '../api/export-api.ts';
import { ExportError, type ErrorCode } from '../errors.ts';
import { findHeader, isGzipAnnounced } from '../http/headers.ts';
import type { HttpAnswer } from '../http/request.ts';
import { withRetry, type OnWaiting } from '../http/retry.ts';
import { parseRetryAfter } from '../http/retry-after.ts';
import type { FileEntry } from './file-list.ts';
import { parseFileUrl } from './parse-file-url.ts';
import type { FileUrls } from './file-urls.ts';
import type { FileHead, Sink } from './sink.ts';

/** A file of an export, with a name for messages. */
export interface FileToFetch extends FileEntry {
  /** Such as `file 7 of export X`. */
  name: string;
}

export interface FetchOptions {
  signal: AbortSignal;
  onWaiting?: OnWaiting | undefined;
  /** Called with the length of each chunk in bytes, not inflated. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** Longest raw file of a service that announces no lengths, in bytes. */
const MAX_FILE_BYTES = 512 * 1024 * 1024;
/** Bytes by which a gzip file may be longer than its content, at least and in proportion. */
const GZIP_SLACK_BYTES = 1024;
const GZIP_SLACK_RATIO = 1.001;
const MAX_REDIRECTS = 5;
const MAX_URL_REFRESHES = 2;
const EXPIRED: ReadonlySet<number> = new Set([401, 403, 404, 410]);
/** Bytes that a try must add before the budget of tries is reset. */
const PROGRESS_BYTES = 64 * 1024;

/**
 * Fetches one raw file, undecoded, into a sink. A try that breaks off is resumed by `Range`
 * where a strong ETag proves that it is the same file; else the file begins again.
 * @throws ExportError GONE, NETWORK, PROTOCOL, REFUSED, INTERRUPTED; BAD_FILE when it is too
 * long. Its content is not checked.
 */
export async function fetchFile(
  api: ExportApi,
  file: FileToFetch,
  urls: FileUrls,
  sink: Sink,
  options: FetchOptions,
): Promise<void> {
  await new FileFetch(api, file, urls, sink, options).run();
}

class FileFetch {
  readonly #api: ExportApi;
  readonly #file: FileToFetch;
  readonly #urls: FileUrls;
  readonly #sink: Sink;
  readonly #options: FetchOptions;
  #urlRefreshes = 0;
  #furthest: number;
  /** Set while the export is read again: that has retries of its own. */
  #isRefreshingUrl = false;
  #isNotResumable = false;

  constructor(
    api: ExportApi,
    file: FileToFetch,
    urls: FileUrls,
    sink: Sink,
    options: FetchOptions,
  ) {
    this.#api = api;
    this.#file = file;
    this.#urls = urls;
    this.#sink = sink;
    this.#options = options;
    this.#furthest = sink.received;
  }

  async run(): Promise<void> {
    const { retry } = this.#api;
    const { signal, onWaiting } = this.#options;
    try {
      await withRetry(() => this.#attempt(), {
        retry,
        signal,
        onWaiting: (waiting) =>
          onWaiting?.({ ...waiting, message: `${this.#file.name}: ${waiting.message}` }),
        attempts: () => retry.attempts,
        hasProgressed: () => this.#noteProgress(),
        isExempt: () => this.#isRefreshingUrl,
      });
    } catch (error) {
      // Without a status, the connection failed: the message does not name the file yet.
      const isBroken =
        error instanceof ExportError && error.code === 'NETWORK' && error.status === undefined;
      if (!isBroken || this.#isRefreshingUrl) throw error;
      throw new ExportError(
        'NETWORK',
        `${this.#file.name} broke off again and again: ${error.message}`,
        { cause: error, hint: 'Check the network; the same command continues where it stopped' },
      );
    }
  }

  #noteProgress(): boolean {
    if (this.#resumeFrom() < this.#furthest + PROGRESS_BYTES) return false;
    this.#furthest = this.#sink.received;
    return true;
  }

  /** Position to resume at; 0 when the file begins again. */
  #resumeFrom(): number {
    const { head, received } = this.#sink;
    return head?.etag && !this.#isNotResumable ? received : 0;
  }

  async #attempt(): Promise<void> {
    const from = this.#resumeFrom();
    if (from > 0 && from === this.#sink.head?.length) return;
    const answer = await this.#openWithFreshUrl(from);
    try {
      await this.#receive(answer, from);
    } finally {
      answer.discard();
    }
  }

  /** Opens the file; a URL that expired is refreshed by reading the export again. */
  async #openWithFreshUrl(from: number): Promise<HttpAnswer> {
    let url = await this.#whileRefreshing(this.#urls.find(this.#file.key));
    for (;;) {
      const answer = await this.#open(url, from);
      if (!EXPIRED.has(answer.status) || ++this.#urlRefreshes > MAX_URL_REFRESHES) return answer;
      answer.discard();
      url = await this.#whileRefreshing(this.#urls.refresh(this.#file.key, url));
    }
  }

  async #whileRefreshing(url: Promise<string>): Promise<string> {
    this.#isRefreshingUrl = true;
    const found = await url;
    this.#isRefreshingUrl = false;
    return found;
  }

  /** Follows redirects. The token is not sent. */
  async #open(text: string, from: number): Promise<HttpAnswer> {
    const headers: Record<string, string> = { 'accept-encoding': 'gzip' };
    if (from > 0) {
      headers['range'] = `bytes=${from}-`;
      headers['if-range'] = this.#sink.head?.etag ?? '';
    }
    let url = parseFileUrl(text, this.#api.base);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const answer = await this.#api.http.send(url, { headers }, this.#options.signal);
      const { status } = answer;
      if (status < 300 || status >= 400 || status === 304) return answer;
      answer.discard();
      const location = findHeader(answer.headers, 'location') ?? '';
      url = parseFileUrl(
        URL.canParse(location, url.href) ? new URL(location, url).href : location,
        url,
      );
    }
    throw new ExportError('PROTOCOL', `${this.#file.name} redirects over and over`);
  }

  async #receive(answer: HttpAnswer, from: number): Promise<void> {
    const { status } = answer;
    if (from > 0 && status === 206) this.#checkRange(answer, from);
    else if (from > 0 && (status === 200 || status === 412 || status === 416))
      throw this.#notResumable(`Range was answered with ${status}`);
    else if (status !== 200) throw this.#refusal(answer);
    const limit = this.#limit();
    let hasBegun = from > 0;
    for await (const chunk of answer.body()) {
      this.#options.onBytes?.(chunk.length);
      if (!hasBegun) await this.#begin(answer, chunk);
      hasBegun = true;
      if (this.#sink.received + chunk.length > limit)
        throw new ExportError('BAD_FILE', `it is longer than ${limit} bytes`);
      await this.#sink.write(chunk);
    }
    if (!hasBegun) await this.#begin(answer, Buffer.alloc(0));
    const { received, head: { length } = {} } = this.#sink;
    if (typeof length !== 'number' || received === length) return;
    if (received > length) throw this.#notResumable(`${received} bytes came of ${length}`);
    throw new ExportError('NETWORK', `it ended after ${received} of ${length} bytes`);
  }

  /** Begins the file. @param first bytes of the body. */
  async #begin(answer: HttpAnswer, first: Buffer): Promise<void> {
    await this.#sink.begin(parseHead(answer, first));
    this.#isNotResumable = false;
  }

  /** The manifest has the length of the content, which its gzip may exceed a little. */
  #limit(): number {
    const bytes = this.#file.expected?.bytes;
    return bytes === undefined
      ? MAX_FILE_BYTES
      : Math.ceil(bytes * GZIP_SLACK_RATIO) + GZIP_SLACK_BYTES;
  }

  /** @throws ExportError NETWORK when these are not the bytes that were asked for. */
  #checkRange(answer: HttpAnswer, from: number): void {
    const range = findHeader(answer.headers, 'content-range') ?? '';
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range) ?? [];
    const { head } = this.#sink;
    const etag = findHeader(answer.headers, 'etag');
    if (Number(start) !== from)
      throw this.#notResumable(`byte ${from} was asked for, and "${range}" came`);
    if (total !== '*' && typeof head?.length === 'number' && Number(total) !== head.length)
      throw this.#notResumable(`its length was ${head.length}, and is ${total}`);
    if (isGzipAnnounced(answer.headers) !== (head?.encoding === 'gzip'))
      throw this.#notResumable('the range is of another encoding');
    if (etag !== undefined && etag !== head?.etag)
      throw this.#notResumable('the range is of another file');
  }

  /** The bytes so far cannot be continued: the next try begins again. */
  #notResumable(why: string): ExportError {
    this.#isNotResumable = true;
    return new ExportError('NETWORK', why);
  }

  #refusal({ status, headers }: HttpAnswer): ExportError {
    const code: ErrorCode = EXPIRED.has(status)
      ? 'GONE'
      : status >= 500 || status === 408
        ? 'NETWORK'
        : status === 429
          ? 'UNAVAILABLE'
          : 'REFUSED';
    const retryAfterMs = parseRetryAfter(headers, Date.now());
    const message = `${this.#file.name} cannot be downloaded: HTTP ${status}`;
    return new ExportError(code, message, { status, retryAfterMs });
  }
}

/**
 * @param first bytes of the body. They tell whether it is gzip: proxies inflate and keep the header. A file that is gzip
 * without a header, and an encoding that nobody asked for, are left to the check of the content.
 */
function parseHead(answer: HttpAnswer, first: Buffer): FileHead {
  const etag = findHeader(answer.headers, 'etag') ?? '';
  const length = findHeader(answer.headers, 'content-length') ?? '';
  return {
    etag: /^"[^"]*"$/.test(etag) ? etag : null,
    encoding: isGzipAnnounced(answer.headers) && first[0] === 0x1f ? 'gzip' : 'identity',
    length: /^\d{1,15}$/.test(length) ? Number(length) : null,
  };
}
