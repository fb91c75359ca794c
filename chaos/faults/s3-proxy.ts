import { once } from 'node:events';
import {
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

/** Faults of the S3 server in front of the service. */
export type S3Fault =
  /** It answers every request with an error. */
  | { readonly kind: 'answer'; readonly status: 403 | 500 | 503; readonly code: string }
  /** It breaks the connection when so many bytes of an upload have come. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** It takes requests and answers none until the fault is over. */
  | { readonly kind: 'stall' };

/** An S3 server's address that passes requests on as they come, signed host included, or fails them. */
export class S3Proxy implements AsyncDisposable {
  /** Requests that met the fault. */
  faults = 0;
  readonly #target: number;
  readonly #server: Server;
  #fault: S3Fault | null = null;
  #changed = Promise.withResolvers<void>();

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((asked, answer) => {
      this.#handle(asked, answer).catch(() => answer.destroy());
    });
  }

  static async start(target: number): Promise<S3Proxy> {
    const proxy = new S3Proxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Begins a fault, or ends it with null. */
  set fault(fault: S3Fault | null) {
    this.#fault = fault;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async #handle(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const fault = this.#fault;
    if (fault?.kind === 'answer') {
      this.faults++;
      await refuse(asked, answer, fault);
      return;
    }
    if (fault?.kind === 'stall') {
      this.faults++;
      while (this.#fault?.kind === 'stall' && !asked.socket.destroyed) await this.#changed.promise;
    }
    await this.#forward(asked, answer, fault?.kind === 'reset' ? fault.afterBytes : null);
  }

  async #forward(
    asked: IncomingMessage,
    answer: ServerResponse,
    resetAfter: number | null,
  ): Promise<void> {
    const headers = { ...asked.headers, connection: 'close' };
    // This server has said "continue" already.
    delete headers.expect;
    const outbound = request({
      port: this.#target,
      host: '127.0.0.1',
      method: asked.method,
      path: asked.url,
      headers,
      // A connection that Ceph has closed meanwhile would look like a fault.
      agent: false,
    });
    const answered = once(outbound, 'response') as Promise<[IncomingMessage]>;
    answered.catch(() => undefined);
    await pipeline(asked, this.#resetting(asked, resetAfter), outbound);
    const [inbound] = await answered;
    answer.writeHead(inbound.statusCode ?? 502, inbound.headers);
    await pipeline(inbound, answer);
  }

  #resetting(asked: IncomingMessage, resetAfter: number | null) {
    const onReset = (): void => {
      this.faults++;
      asked.socket.resetAndDestroy();
    };
    return async function* (body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      let bytes = 0;
      for await (const chunk of body) {
        bytes += chunk.length;
        if (resetAfter !== null && bytes > resetAfter) {
          onReset();
          throw new Error('the connection was reset');
        }
        yield chunk;
      }
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.fault = null;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

async function refuse(
  asked: IncomingMessage,
  answer: ServerResponse,
  { status, code }: { status: number; code: string },
): Promise<void> {
  // A server reads what it refuses, or the client sees a broken connection in place of the answer.
  for await (const _ of asked);
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>caused by the suite</Message></Error>`;
  answer.writeHead(status, { 'content-type': 'application/xml' });
  answer.end(asked.method === 'HEAD' ? '' : body);
}
