import { setTimeout as delay } from 'node:timers/promises';
import type { ErrorBody, ExportObject, ExportRequest } from '@tillroll/contract';
import { ExportError } from './errors.ts';

export interface ClientOptions {
  /** The service's address, such as `https://exports.example.com`. */
  url: string;
  merchant: string;
  token: string;
}

export interface WaitOptions {
  signal?: AbortSignal;
  onProgress?: (exported: ExportObject) => void;
}

export interface DownloadedFile {
  /** The file as served: `{"elements":[...]}`. */
  text: string;
  bytes: number;
}

/** Every wait is bounded: a request that is silent for so long has failed. */
const REQUEST_TIMEOUT_MS = 60_000;
const POLL_MIN_MS = 250;
const POLL_MAX_MS = 5_000;
const POLL_GROWTH = 1.25;

/** Creates, follows and downloads exports of one merchant. */
export class ExportClient {
  readonly #base: string;
  readonly #token: string;

  constructor(options: ClientOptions) {
    this.#base = `${options.url.replace(/\/+$/, '')}/v3/merchants/${encodeURIComponent(options.merchant)}/exports`;
    this.#token = options.token;
  }

  /** Asks for an export. @throws ExportError */
  async create(request: ExportRequest, signal?: AbortSignal): Promise<ExportObject> {
    return this.#call('', { method: 'POST', body: JSON.stringify(request) }, signal);
  }

  /** Reads an export. @throws ExportError */
  async show(exportId: string, signal?: AbortSignal): Promise<ExportObject> {
    return this.#call(`/${encodeURIComponent(exportId)}`, {}, signal);
  }

  /** Polls until the export is DONE. @throws ExportError also when it ended otherwise. */
  async wait(exportId: string, options: WaitOptions = {}): Promise<ExportObject> {
    for (let pause = POLL_MIN_MS; ; pause = Math.min(POLL_MAX_MS, pause * POLL_GROWTH)) {
      const exported = await this.show(exportId, options.signal);
      options.onProgress?.(exported);
      if (exported.status === 'DONE') return exported;
      if (exported.status !== 'PENDING' && exported.status !== 'IN_PROGRESS') {
        throw new ExportError(
          `export ${exportId} ended as ${exported.status}: ${exported.failure?.message ?? ''}`,
          200,
        );
      }
      await delay(pause, undefined, options.signal ? { signal: options.signal } : {});
    }
  }

  /** Downloads one file of a finished export. The URL authorises itself: the token is not sent. */
  async download(url: string, signal?: AbortSignal): Promise<DownloadedFile> {
    const response = await fetch(url, { signal: bounded(signal) });
    if (!response.ok) throw await refusal(response);
    const text = await response.text();
    return { text, bytes: Buffer.byteLength(text) };
  }

  async #call(path: string, init: RequestInit, signal?: AbortSignal): Promise<ExportObject> {
    const response = await fetch(this.#base + path, {
      ...init,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      signal: bounded(signal),
    });
    if (!response.ok) throw await refusal(response);
    return (await response.json()) as ExportObject;
  }
}

function bounded(signal?: AbortSignal): AbortSignal {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  return signal ? AbortSignal.any([signal, timeout]) : timeout;
}

async function refusal(response: Response): Promise<ExportError> {
  const body = (await response.json().catch(() => ({}))) as Partial<ErrorBody>;
  const message = [body.message ?? `HTTP ${response.status}`, body.details]
    .filter(Boolean)
    .join(': ');
  const after = Number(response.headers.get('retry-after') ?? Number.NaN);
  return new ExportError(message, response.status, Number.isFinite(after) ? after : null);
}
