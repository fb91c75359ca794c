/** Opens raw TCP connections for attacks. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Target } from '../target.ts';
import { countAnswers, watchAnswers } from './answers.ts';
import type { Tally } from './tally.ts';

const CONNECT_MS = 3_000;

/** Raw TCP connections to the service: nothing between the attack and the wire. */
export class Connections {
  readonly #open = new Set<Socket>();
  readonly #target: Target;
  readonly #tally: Tally;
  readonly #signal: AbortSignal;

  constructor(target: Target, tally: Tally, signal: AbortSignal) {
    this.#target = target;
    this.#tally = tally;
    this.#signal = signal;
  }

  /**
   * Connects from one of the attacker's addresses.
   * @param reads false: nothing is read, so that the service's answers accumulate.
   * @returns null when it was refused, took over 3 s, or the attack is over.
   */
  async open(from: string, reads = true): Promise<Socket | null> {
    if (this.#signal.aborted) return null;
    const { host, port } = this.#target;
    const socket = connect({ host, port, localAddress: from, noDelay: true });
    this.#open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#open.delete(socket));
    try {
      await once(socket, 'connect', {
        signal: AbortSignal.any([this.#signal, AbortSignal.timeout(CONNECT_MS)]),
      });
    } catch {
      this.#tally.refused++;
      socket.destroy();
      return null;
    }
    this.#tally.opened++;
    if (reads) watchAnswers(socket, this.#tally);
    else socket.pause();
    return socket;
  }

  /** Opens `count` connections, a hundred at a time. @param from the address of the n-th. */
  async openMany(count: number, from: (n: number) => string, reads = true): Promise<Socket[]> {
    const sockets: Socket[] = [];
    for (let n = 0; n < count && !this.#signal.aborted; n += 100) {
      const batch = Array.from({ length: Math.min(100, count - n) }, (_, i) =>
        this.open(from(n + i), reads),
      );
      sockets.push(...(await Promise.all(batch)).filter((socket) => socket !== null));
    }
    return sockets;
  }

  /**
   * Writes, and waits while the service does not read.
   * @returns false when the connection or the attack is over.
   */
  async write(socket: Socket, bytes: string | Buffer): Promise<boolean> {
    if (!socket.writable || this.#signal.aborted) return false;
    const ready = socket.write(bytes, 'latin1');
    this.#tally.sentBytes += bytes.length;
    if (ready) return true;
    const done = new AbortController();
    const signal = AbortSignal.any([this.#signal, done.signal]);
    // `close` without `drain`: the service ended it.
    await Promise.race([
      once(socket, 'drain', { signal }).catch(() => undefined),
      once(socket, 'close', { signal }).catch(() => undefined),
    ]);
    done.abort();
    return socket.writable && !this.#signal.aborted;
  }

  /** Waits until the connection is closed or the attack is over. */
  async closed(socket: Socket): Promise<void> {
    if (socket.destroyed) return;
    await once(socket, 'close', { signal: this.#signal }).catch(() => undefined);
  }

  /** Waits until the connection has brought so many answers, is closed, or the attack is over. */
  answered(socket: Socket, wanted: number): Promise<void> {
    const signal = this.#signal;
    return new Promise((resolve) => {
      const check = (): void => {
        if (countAnswers(socket) < wanted && !socket.destroyed && !signal.aborted) return;
        socket.off('answer', check).off('close', check);
        signal.removeEventListener('abort', check);
        resolve();
      };
      socket.on('answer', check).on('close', check);
      signal.addEventListener('abort', check);
      check();
    });
  }

  closeAll(): void {
    for (const socket of this.#open) socket.destroy();
  }
}

/** Waits until the attack is over. */
export async function untilOver(signal: AbortSignal): Promise<void> {
  await delay(600_000, undefined, { signal, ref: true }).catch(() => undefined);
}

/** Waits, but not beyond the end of the attack. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
