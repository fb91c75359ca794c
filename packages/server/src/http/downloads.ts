/** Bounds the downloads that are open, and drops peers that read too slowly. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { FairSemaphore, type SemaphoreLimits } from '../fair-semaphore.ts';
import { CallerGone } from './errors.ts';
import { LeastRate } from './least-rate.ts';

/** Downloads open at once in this process. Each holds a file and up to half a megabyte of buffers. */
const MAX_OPEN = 64;
const MAX_WAITING = 1024;

/** A client that asks again is served sooner than one that waits for longer. */
const WAIT_MS = 10_000;

/** By app, over all its merchants: one never holds all places. */
const PLACES: SemaphoreLimits = {
  permits: MAX_OPEN,
  permitsPerKey: MAX_OPEN / 2,
  waiting: MAX_WAITING,
  waitMs: WAIT_MS,
};
/** By merchant and app: an app that is slow for one merchant has places for another. */
const SHARES: SemaphoreLimits = {
  permits: MAX_OPEN + MAX_WAITING,
  permitsPerKey: MAX_OPEN / 4,
  waiting: MAX_WAITING,
  waitingPerKey: MAX_WAITING / 4,
  waitMs: WAIT_MS,
};

/** Whose export a download is of. */
export interface Owner {
  readonly merchantId: string;
  readonly appId: string;
}
/** Interval at which a peer's rate is checked. */
const WATCH_MS = 5_000;

/** Answers whose peers are judged by their rate. */
const rated = new WeakSet<ServerResponse>();

/** Tells whether an answer is a download: a slow peer may take its end for as long as it keeps the least rate. */
export function hasLeastRate(response: ServerResponse): boolean {
  return rated.has(response);
}

/**
 * The downloads of this process: how many may be open, in whose turn, and with which peers. A file is
 * opened only when its answer is the next on its connection and has a place among the open ones; so a
 * thousand requests on a connection that is not read hold one file.
 */
export class Downloads {
  readonly #places: FairSemaphore;
  readonly #shares: FairSemaphore;
  /** Rates by connection, not by download: data left in it by one download belongs to the next. */
  readonly #rates = new WeakMap<Socket, LeastRate>();

  constructor(places: SemaphoreLimits = PLACES, shares: SemaphoreLimits = SHARES) {
    this.#places = new FairSemaphore(places);
    this.#shares = new FairSemaphore(shares);
  }

  /** Downloads open now. */
  get open(): number {
    return this.#places.holding;
  }

  /**
   * Opens a file for an answer. It is closed with the answer, which ends early when the file cannot be
   * read to its end or when the peer does not take it.
   * @param owner whose export it is.
   * @param onEnd told how many bytes were sent, headers included, and whether the answer is complete.
   * @throws CallerGone; Overloaded when no place is free in time; whatever `read` throws.
   */
  async start(
    response: ServerResponse,
    owner: Owner,
    read: () => Promise<Readable>,
    onEnd: (bytes: number, isComplete: boolean) => void = () => undefined,
  ): Promise<Readable> {
    const left = new AbortController();
    const leave = (): void => left.abort(new CallerGone());
    response.once('close', leave);
    if (response.destroyed) leave();
    const socket = await waitForSocket(response, left.signal);
    const release = await this.#takePlace(owner, left.signal);
    try {
      const file = await read();
      if (left.signal.aborted) {
        file.destroy();
        throw left.signal.reason;
      }
      // Nothing but the file's bytes may follow its header, not even an error.
      file.once('error', () => response.destroy());
      this.#watch(response, socket);
      const before = accepted(socket);
      response.once('close', () => {
        release();
        onEnd(accepted(socket) - before, response.writableFinished);
      });
      return file;
    } catch (error) {
      release();
      throw error;
    }
  }

  async #takePlace({ merchantId, appId }: Owner, signal: AbortSignal): Promise<() => void> {
    const leaveShare = await this.#shares.acquire(`${merchantId}/${appId}`, signal);
    try {
      const leavePlace = await this.#places.acquire(appId, signal);
      return () => {
        leavePlace();
        leaveShare();
      };
    } catch (error) {
      leaveShare();
      throw error;
    }
  }

  #watch(response: ServerResponse, socket: Socket): void {
    rated.add(response);
    const rate = this.#rates.get(socket) ?? new LeastRate();
    this.#rates.set(socket, rate);
    rate.resume(performance.now(), accepted(socket));
    const timer = setInterval(() => {
      const isWaiting = socket.writableLength > 0;
      if (rate.isTooSlow(performance.now(), accepted(socket), isWaiting)) response.destroy();
    }, WATCH_MS);
    response.once('close', () => clearInterval(timer));
  }
}

/** Bytes that the system has taken from us; what waits in this process does not count. */
function accepted(socket: Socket): number {
  return socket.bytesWritten - socket.writableLength;
}

/**
 * The connection of an answer, once all answers before it on that connection are out. Each of those has
 * its own bounds, so that this one needs none.
 */
async function waitForSocket(response: ServerResponse, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  if (response.socket === null) {
    await once(response, 'socket', { signal }).catch(() => signal.throwIfAborted());
  }
  const { socket } = response;
  if (socket === null) throw new CallerGone();
  return socket;
}
