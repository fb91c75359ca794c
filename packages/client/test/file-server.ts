import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { ExportApi } from '../src/api/export-api.ts';
import type { ClientOptions } from '../src/api/call-options.ts';
import type { FileUrls } from '../src/download/file-urls.ts';

export const EXPORT = 'ABCDEFGHJKMNP';

export interface Seen {
  url: string;
  headers: http.IncomingHttpHeaders;
}

type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void;

/** A real server whose answers to the requests of files are scripted, one after the other. */
export class FileServer implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly #server: http.Server;
  #script: Handler[] = [];

  private constructor() {
    this.#server = http.createServer((request, response) => {
      this.seen.push({ url: request.url ?? '', headers: request.headers });
      const handler = this.#script.length > 1 ? this.#script.shift() : this.#script[0];
      if (handler) handler(request, response);
      else response.writeHead(500).end();
    });
  }

  static async begin(...script: Handler[]): Promise<FileServer> {
    const server = new FileServer();
    server.#script = script;
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  /** The last handler answers whatever follows. */
  script(...script: Handler[]): void {
    this.#script = script;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  api(options: Partial<ClientOptions> = {}): ExportApi {
    const retry = { baseMs: 1, capMs: 5, silenceMs: 2000, ...options.retry };
    return new ExportApi({ url: this.url, merchant: 'M1', token: 'secret', ...options, retry });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

/** Answers with these bytes, or their part that a Range asks for, as long as the ETag is the same. */
export function serve(body: Buffer, headers: Record<string, string> = {}): Handler {
  return (request, response) => {
    const { range, 'if-range': condition } = request.headers;
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const { etag } = headers;
    const isPart = from > 0 && (condition === undefined || condition === etag);
    response.writeHead(isPart ? 206 : 200, {
      ...headers,
      'content-length': body.length - (isPart ? from : 0),
      ...(isPart ? { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` } : {}),
    });
    response.end(isPart ? body.subarray(from) : body);
  };
}

/** Sends the first bytes of a body, then resets the connection. */
export function breakOff(
  body: Buffer,
  bytes: number,
  headers: Record<string, string> = {},
): Handler {
  return (_request, response) => {
    response.writeHead(200, { ...headers, 'content-length': body.length });
    // Behind the callback the bytes have left, so that the reset does not overtake them.
    response.write(body.subarray(0, bytes), () =>
      setTimeout(() => response.socket?.resetAndDestroy(), 30),
    );
  };
}

export function status(code: number, headers: Record<string, string> = {}): Handler {
  return (_request, response) => void response.writeHead(code, headers).end();
}

/** URLs that are known, and that are never refreshed. */
export function fixedUrls(url: string, refreshed: string[] = []): FileUrls {
  const next = [...refreshed];
  let now = url;
  return {
    find: async () => now,
    refresh: async () => (now = next.shift() ?? now),
  } as unknown as FileUrls;
}

/** Bytes that gzip does not shorten, so that a position means something in both. */
export function noise(length: number): Buffer {
  return randomBytes(length);
}

export function gzipped(body: Buffer): Buffer {
  return gzipSync(body);
}
