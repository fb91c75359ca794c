/** Sends one HTTP request, and turns its failure into an error of this library. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { ExportError } from '../errors.ts';
import { createDispatcherFor, readProxies, type Proxies, type ProxyMode } from './proxies.ts';
import { interruptedError, throwIfAborted } from './retry.ts';

/** One request: GET without a body by default. */
export interface HttpRequest {
  method?: 'GET' | 'POST' | 'DELETE';
  headers?: Record<string, string>;
  body?: string;
}

/** The beginning of an answer. The body comes as it was sent: nothing is decoded. */
export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Bytes of the body, once. Throws ExportError NETWORK or INTERRUPTED. */
  body(): AsyncGenerator<Buffer, void, void>;
  /** Ends the exchange. An answer that was not read to its end costs the connection. Never throws. */
  discard(): void;
}

/** A request that was sent, for finding faults. */
export interface SentRequest {
  method: string;
  /** With its query, which may hold a key. */
  url: URL;
  /** Null when there was no answer: `error` says why. */
  status: number | null;
  error: string | undefined;
  /** Until the headers arrived. */
  ms: number;
}

interface Transport {
  request: typeof import('undici').request;
  dispatcherFor: (url: URL) => Dispatcher;
}

/** Sends requests over the connections of one client. */
export class HttpSender {
  readonly #proxies: Proxies;
  readonly #silenceMs: number;
  readonly #onRequest: ((request: SentRequest) => void) | undefined;
  #transport: Promise<Transport> | undefined;

  /**
   * @param silenceMs how long a server may be silent: until connected, until the headers, and between
   * two chunks of the body.
   * @param onRequest is called for each request, when the headers of its answer have arrived or it has failed.
   * @throws ExportError USAGE when a variable of the environment is not the address of a proxy.
   */
  constructor(proxy: ProxyMode, silenceMs: number, onRequest?: (request: SentRequest) => void) {
    this.#proxies = readProxies(proxy);
    this.#silenceMs = silenceMs;
    this.#onRequest = onRequest;
  }

  /** Loads undici with the first request: it takes longer than all of this library. */
  #connect(): Promise<Transport> {
    this.#transport ??= import('undici').then((undici) => ({
      request: undici.request,
      dispatcherFor: createDispatcherFor(undici, this.#proxies, this.#silenceMs),
    }));
    return this.#transport;
  }

  /**
   * Sends one request. Redirects are not followed: the caller decides what may be sent where.
   * @throws ExportError INTERRUPTED when the signal fires, NETWORK for anything else.
   */
  async send(
    url: URL,
    { method = 'GET', headers = {}, body }: HttpRequest,
    signal: AbortSignal | undefined,
  ): Promise<HttpAnswer> {
    throwIfAborted(signal);
    const toError = (error: unknown): ExportError => networkError(error, signal, this.#silenceMs);
    const { request, dispatcherFor } = await this.#connect();
    const startedAt = performance.now();
    const report = (status: number | null, error?: string): void =>
      this.#onRequest?.({ method, url, status, error, ms: performance.now() - startedAt });
    try {
      const answer = await request(url, {
        method,
        headers,
        body: body ?? null,
        signal: signal ?? null,
        dispatcher: dispatcherFor(url),
        headersTimeout: this.#silenceMs,
        bodyTimeout: this.#silenceMs,
      });
      report(answer.statusCode);
      // A body that is not read may fail, too: without a listener, that would end the process.
      answer.body.on('error', () => undefined);
      return {
        status: answer.statusCode,
        headers: answer.headers,
        body: () => readBody(answer.body, toError),
        discard: () => void answer.body.destroy(),
      };
    } catch (cause) {
      const error = toError(cause);
      report(null, error.message);
      throw error;
    }
  }
}

async function* readBody(
  body: Dispatcher.ResponseData['body'],
  toError: (error: unknown) => ExportError,
): AsyncGenerator<Buffer, void, void> {
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        throw toError(error);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    body.destroy();
  }
}

const TIMEOUTS: ReadonlySet<string> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/**
 * Faults of a server that speaks another protocol, or whose certificate is not trusted: trying again does not help.
 * Compared with the error's code and message.
 */
const OTHER_PROTOCOLS: readonly (readonly [fault: RegExp, message: string, hint: string])[] = [
  [
    /Expected HTTP\//,
    'the server does not answer with HTTP',
    'Check the address and its port; perhaps it begins with https://',
  ],
  [
    /^(?:EPROTO|ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG) /,
    'the server does not answer with TLS',
    'Check the address and its port; perhaps it begins with http://',
  ],
  [
    /^(?:CERT_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED_CERT|UNABLE_TO_VERIFY|ERR_TLS_CERT_ALTNAME)/,
    "the server's certificate is not trusted",
    'Check the address; add the authority that signed it with NODE_EXTRA_CA_CERTS',
  ],
];

function networkError(
  error: unknown,
  signal: AbortSignal | undefined,
  silenceMs: number,
): ExportError {
  if (error instanceof ExportError) return error;
  if (signal?.aborted) return interruptedError(error);
  const { code = '', message = '' } = error as Partial<NodeJS.ErrnoException>;
  const other = OTHER_PROTOCOLS.find(([pattern]) => pattern.test(`${code} ${message}`));
  if (other) return new ExportError('REFUSED', other[1], { hint: other[2], cause: error });
  const reason = TIMEOUTS.has(code) ? `silent for ${silenceMs / 1000} s` : describeFault(error);
  return new ExportError('NETWORK', reason, { cause: error });
}

/** Joins the messages of an error and of its causes: the outermost one alone seldom tells the reason. */
function describeFault(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at instanceof Error && parts.length < 4; at = at.cause) {
    const text = at.message || (at as NodeJS.ErrnoException).code || at.name;
    if (!parts.includes(text)) parts.push(text);
    if (at instanceof AggregateError && at.errors[0] instanceof Error)
      parts.push(at.errors[0].message);
  }
  return parts.join(': ') || String(error);
}
