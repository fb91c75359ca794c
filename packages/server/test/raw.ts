import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from './integration/until.ts';

export interface RawAnswer {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: string;
}

/** A bare connection: what is sent and received is ours to the last byte. */
export class Raw {
  readonly socket: Socket;
  readonly #opened = performance.now();
  #received = '';
  #closedAfterMs: number | null = null;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1').on('data', (text: string) => (this.#received += text));
    // A reset is one way to be closed.
    socket.on('error', () => undefined);
    socket.once('close', () => (this.#closedAfterMs = performance.now() - this.#opened));
  }

  /**
   * @param localAddress the address that the server sees.
   * @param more `allowHalfOpen`: our side stays open when the server closes its own.
   */
  static async open(
    url: string,
    localAddress = '127.0.0.1',
    more: { allowHalfOpen?: boolean } = {},
  ): Promise<Raw> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), localAddress, ...more });
    const raw = new Raw(socket);
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
    return raw;
  }

  send(text: string): void {
    if (this.socket.writable) this.socket.write(text, 'latin1');
  }

  get received(): string {
    return this.#received;
  }

  get isClosed(): boolean {
    return this.#closedAfterMs !== null;
  }

  /** All whole answers so far. `100 Continue` is one. */
  answers(): RawAnswer[] {
    const answers: RawAnswer[] = [];
    for (let at = 0; ;) {
      const headEnd = this.#received.indexOf('\r\n\r\n', at);
      if (headEnd < 0) return answers;
      const [statusLine = '', ...lines] = this.#received.slice(at, headEnd).split('\r\n');
      const headers = Object.fromEntries(
        lines.map((line) => {
          const colon = line.indexOf(':');
          return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
        }),
      );
      const end = headEnd + 4 + Number(headers['content-length'] ?? 0);
      if (this.#received.length < end) return answers;
      const body = this.#received.slice(headEnd + 4, end);
      answers.push({ status: Number(statusLine.split(' ')[1]), headers, body });
      at = end;
    }
  }

  /** The answer at `index`, once it is there. */
  answer(index = 0, timeoutMs = 30_000): Promise<RawAnswer> {
    return until(`answer ${index}`, () => this.answers()[index], {
      timeoutMs,
      everyMs: 2,
    });
  }

  /** @returns how long after its opening the server closed the connection, ms. */
  async closed(timeoutMs = 40_000): Promise<number> {
    await until('the connection is closed', () => this.isClosed, { timeoutMs });
    return this.#closedAfterMs ?? 0;
  }

  /** Forgets what was received so far. */
  forget(): void {
    this.#received = '';
  }

  close(): void {
    this.socket.destroy();
  }
}
