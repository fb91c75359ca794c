import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** `cut`: connections break and new ones are refused; `stalled`: nothing passes, and nothing breaks. */
export type LinkState = 'open' | 'cut' | 'stalled' | { readonly bytesPerSecond: number };

const PIECE_BYTES = 16 * 1024;

/** A link to a server on this machine, which breaks and slows down on demand. */
export class TcpProxy implements AsyncDisposable {
  /** The target of new connections: a port of this machine, or the path of a socket. */
  target: number | string;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #state: LinkState = 'open';
  #changed = Promise.withResolvers<void>();

  private constructor(target: number | string) {
    this.target = target;
    this.#server = createServer({ allowHalfOpen: true }, (inbound) => this.#relay(inbound));
  }

  static async start(target: number | string): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  set state(state: LinkState) {
    this.#state = state;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    if (state === 'cut') for (const socket of this.#sockets) socket.destroy();
  }

  #relay(inbound: Socket): void {
    if (this.#state === 'cut') {
      inbound.destroy();
      return;
    }
    const { target } = this;
    const address =
      typeof target === 'string' ? { path: target } : { port: target, host: '127.0.0.1' };
    const outbound = connect({ ...address, allowHalfOpen: true });
    for (const [one, other] of [
      [inbound, outbound],
      [outbound, inbound],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      pipeline(one, (bytes) => this.#gate(bytes), other).catch(() => other.destroy());
    }
  }

  /** Passes bytes on as the state allows; what waits in front of it fills the sender's socket. */
  async *#gate(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of bytes) {
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        const piece = chunk.subarray(at, at + PIECE_BYTES);
        await this.#mayPass(piece.length);
        yield piece;
      }
    }
  }

  async #mayPass(bytes: number): Promise<void> {
    while (this.#state === 'stalled') await this.#changed.promise;
    if (typeof this.#state === 'object')
      await Promise.race([
        delay((bytes / this.#state.bytesPerSecond) * 1000),
        this.#changed.promise,
      ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.state = 'cut';
    this.#server.close();
    await once(this.#server, 'close');
  }
}
