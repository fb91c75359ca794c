/** Counts connections and their requests, and bounds both. */
import { setMaxListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { toAccountKey, plain, type TrustedProxies } from './client-address.ts';
import { CallerGone } from './errors.ts';
import { MAX_REQUESTS_PER_CONNECTION } from './limits.ts';

/** An admitted connection and what is under way on it. */
export class Connection {
  /** The peer's address, plain. */
  readonly peer: string;
  /** True when the peer's `X-Forwarded-For` counts. */
  readonly isTrusted: boolean;
  /** The newest answer; pipelined answers go out in order, so it is also the last. */
  newest: ServerResponse | null = null;
  /** No further request of this connection is answered. */
  isClosing = false;
  /** Made when it is asked for: a flood of connections that ask for nothing must cost little. */
  #gone: AbortController | null = null;
  #isGone = false;
  readonly #underWay = new Set<() => void>();

  constructor(peer: string, isTrusted: boolean) {
    this.peer = peer;
    this.isTrusted = isTrusted;
  }

  /** Aborts with `CallerGone` when the connection is closed. */
  get gone(): AbortSignal {
    if (this.#gone === null) {
      this.#gone = new AbortController();
      setMaxListeners(MAX_REQUESTS_PER_CONNECTION, this.#gone.signal);
      if (this.#isGone) this.#gone.abort(new CallerGone());
    }
    return this.#gone.signal;
  }

  get isFull(): boolean {
    return this.#underWay.size >= MAX_REQUESTS_PER_CONNECTION;
  }

  /**
   * Counts a request until it is answered or the connection is closed, then calls `done` once. Even one
   * that is answered at once counts until the loop has come round: what was read from a connection at
   * one time, thousands of requests perhaps, is parsed without a pause.
   */
  begin(response: ServerResponse, done: () => void): void {
    this.newest = response;
    this.#underWay.add(done);
    response.once('close', () => {
      setImmediate(() => {
        if (this.#underWay.delete(done)) done();
      });
    });
  }

  /** The connection is closed. Answers that wait behind others are never told so. */
  close(): void {
    this.isClosing = true;
    this.#isGone = true;
    this.#gone?.abort(new CallerGone());
    for (const done of this.#underWay) done();
    this.#underWay.clear();
  }
}

const connections = new WeakMap<Socket, Connection>();

/** The connection of a socket; undefined for one that was not admitted, such as an injected request's. */
export function findConnection(socket: Socket): Connection | undefined {
  return connections.get(socket);
}

/** Bounds on connections, and on requests under way, over all peers and for each address. */
export interface ConnectionLimits {
  readonly connections: number;
  /** Connections of one address; also its requests under way. */
  readonly perAddress: number;
}

/** Counts connections and requests under way. */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #trusted: TrustedProxies;
  readonly #ofAddress = new Map<string, number>();
  readonly #requestsByAddress = new Map<string, number>();
  #open = 0;

  constructor(limits: ConnectionLimits, trusted: TrustedProxies) {
    this.#limits = limits;
    this.#trusted = trusted;
  }

  /**
   * Admits a connection until it is closed. A trusted proxy carries the requests of many clients, so
   * only the bound over all peers counts for it; its clients are bounded by their requests.
   * @returns which bound it exceeds, or null.
   */
  admit(socket: Socket): string | null {
    const peer = plain(socket.remoteAddress ?? 'gone');
    const isTrusted = this.#trusted.includes(peer);
    const address = isTrusted ? null : toAccountKey(peer);
    if (this.#open >= this.#limits.connections) return 'connections in all';
    if (address !== null) {
      if ((this.#ofAddress.get(address) ?? 0) >= this.#limits.perAddress)
        return 'connections of one address';
      add(this.#ofAddress, address, 1);
    }
    this.#open++;
    const connection = new Connection(peer, isTrusted);
    connections.set(socket, connection);
    socket.once('close', () => {
      this.#open--;
      if (address !== null) add(this.#ofAddress, address, -1);
      connection.close();
    });
    return null;
  }

  /** Counts a request of `address`. @returns what ends it, or null when the address has too many. */
  beginRequest(address: string): (() => void) | null {
    if ((this.#requestsByAddress.get(address) ?? 0) >= this.#limits.perAddress) return null;
    add(this.#requestsByAddress, address, 1);
    return () => add(this.#requestsByAddress, address, -1);
  }

  /** The account of a request's client. */
  toAccountKey(connection: Connection, forwarded: string | string[] | undefined): string {
    if (!connection.isTrusted || forwarded === undefined) return toAccountKey(connection.peer);
    return toAccountKey(this.#trusted.clientBehind(connection.peer, String(forwarded)));
  }
}

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
