/** A pool of connections whose every wait is bounded. */
import { setTimeout as delay } from 'node:timers/promises';
import { callbackify } from 'node:util';
import {
  Pool as PgPool,
  type ClientBase,
  type PoolClient,
  type QueryResult,
  type QueryResultRow,
} from 'pg';
import type { PoolUsage } from '../observer.ts';
import { cancelStatement } from './cancel.ts';
import { brief, clientClass, clientConfig, CONNECT_MS } from './client.ts';
import { parseDatabaseUrl, switchEncryption, type Connection } from './connection.ts';
import { isConflict, isConnectionLoss, isNoAnswer } from './faults.ts';
import { ASK_FACTS, isFenced, transactionHead, type Bounds, type SessionFacts } from './session.ts';

export type { ClientBase, Connection, PoolClient };

/** Anything that runs a statement: the pool, or a client in a transaction. */
export interface Queryable {
  query<R extends QueryResultRow>(text: string, values?: unknown[]): Promise<QueryResult<R>>;
}

/** Address of the database, parsed or as text. */
export type Target = Connection | { connectionString: string };

export function toConnection(target: Target): Connection {
  return 'connectionString' in target
    ? parseDatabaseUrl(target.connectionString, process.env)
    : target;
}

export interface PoolOptions {
  /** Longest time to wait for a free or a new connection. */
  waitMs?: number;
  /** The longest statement; the server is told to end it then, and the connection is closed soon after. */
  statementMs?: number;
  /** The longest wait for one lock. */
  lockMs?: number;
  /** Longest silence of this process in mid-transaction, ms; 30 s unless given. */
  idleMs?: number;
  /** A standby, or a server that is read-only as a whole, will do. */
  readOnly?: boolean;
  applicationName?: string;
  /** Called when all connections are replaced, because one of them lost its server. */
  onRenew?: () => void;
}

const DEFAULTS = { waitMs: 10_000, statementMs: 15_000, lockMs: 10_000, idleMs: 30_000 };
/** Time by which this side gives up later than the server: long enough to hear the server's own error. */
const CLIENT_GRACE_MS = 2_000;
/** A connection is replaced after so long: settings of roles change, and so do names and addresses. */
const LIFETIME_S = 600;
/** Tries of a transaction that conflicts with others. */
const CONFLICT_ATTEMPTS = 5;
/** Pauses before the next tries on another connection, after a fault that is not the caller's. */
const PAUSES_MS = [0, 200, 800];

/** The database's encoding is not UTF-8: objects could not be stored as they come. */
export class WrongEncoding extends Error {
  override name = 'WrongEncoding';
}

/** The server is a standby, or is read-only as a whole; with PostgreSQL's own code for that. */
class ReadOnlyServer extends Error {
  override name = 'ReadOnlyServer';
  readonly code = '25006';
}

/**
 * Connections to one database whose every wait is bounded. One that meets an error that means "not
 * this server" or "not this session" is closed, and with it all that were made before it: after a
 * failover, none of them leads to the right server.
 */
export class Pool {
  readonly #connection: Connection;
  readonly #max: number;
  readonly #onError: (error: Error) => void;
  readonly #options: PoolOptions;
  readonly #bounds: Bounds;
  readonly #facts = new WeakMap<ClientBase, SessionFacts>();
  /** The pool that each connection belongs to, while it is in use. */
  readonly #homes = new WeakMap<ClientBase, PgPool>();
  #inner: PgPool;
  #retired: Promise<void>[] = [];
  #ended = false;
  #asked = 0;
  #waitedMs = 0;

  constructor(
    target: Target,
    max: number,
    onError: (error: Error) => void,
    options: PoolOptions = {},
  ) {
    this.#connection = toConnection(target);
    this.#max = max;
    this.#onError = onError;
    this.#options = options;
    this.#bounds = { ...DEFAULTS, ...options };
    this.#inner = this.#createInner();
  }

  #createInner(): PgPool {
    const { waitMs = DEFAULTS.waitMs, applicationName } = this.#options;
    let hasReported = false;
    const inner = new PgPool({
      Client: clientClass({
        ...clientConfig(this.#connection),
        ...(applicationName !== undefined && { application_name: applicationName }),
        // A pool may make its users wait for minutes; a server that does not answer may not.
        connectionTimeoutMillis: Math.min(waitMs, CONNECT_MS),
        query_timeout: this.#bounds.statementMs + CLIENT_GRACE_MS,
      }),
      max: this.#max,
      connectionTimeoutMillis: waitMs,
      idleTimeoutMillis: 30_000,
      maxLifetimeSeconds: LIFETIME_S,
      verify: callbackify((client: ClientBase) => this.#examine(client)),
    });
    inner.on('error', (error) => {
      // A restart breaks all of them at once: one cause, one report.
      if (!hasReported) this.#onError(error);
      hasReported = true;
      this.#renewAfter(inner);
    });
    return inner;
  }

  /** Examines a new connection. One that cannot be used never enters the pool. */
  async #examine(client: ClientBase): Promise<void> {
    // pg gives a result for each of several statements, which its types do not say.
    const results: unknown = await client.query(brief(ASK_FACTS));
    const [
      ,
      {
        rows: [facts],
      },
    ] = results as [unknown, QueryResult<SessionFacts>];
    if (!facts) throw new Error('the database said nothing of itself');
    if (facts.encoding !== 'UTF8') {
      throw new WrongEncoding(
        `the encoding of this database is ${facts.encoding} and must be UTF8: make one with CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0`,
      );
    }
    if (isFenced(facts) && !this.#options.readOnly) {
      throw new ReadOnlyServer(
        facts.inRecovery ? 'the server is a standby' : 'the server is read-only',
      );
    }
    this.#facts.set(client, facts);
  }

  /** Returns the facts about the server of a connection of this pool. */
  readFacts(client: ClientBase): SessionFacts {
    const facts = this.#facts.get(client);
    if (!facts) throw new Error('the connection is not of this pool');
    return facts;
  }

  /** The first statements of a transaction on this connection. */
  makeHead(client: ClientBase): string {
    return transactionHead(this.readFacts(client), this.#bounds);
  }

  /** Use of the connections; those that were left after a failover do not count any more. */
  get usage(): PoolUsage {
    const { totalCount: open, idleCount: idle, waitingCount: waiting } = this.#inner;
    return {
      max: this.#max,
      open,
      idle,
      waiting,
      asked: this.#asked,
      waitedMs: this.#waitedMs,
    };
  }

  /**
   * Lends a connection; its holder calls `release`, with the error when that `isConnectionLoss`. Waits
   * out what a failover takes, about a second.
   */
  async connect(): Promise<PoolClient> {
    const asked = performance.now();
    this.#asked++;
    try {
      return await this.#connect();
    } finally {
      this.#waitedMs += performance.now() - asked;
    }
  }

  async #connect(): Promise<PoolClient> {
    let hasSwitched = false;
    for (let attempt = 1; ; attempt++) {
      const inner = this.#inner;
      const tried = this.#connection.ssl;
      try {
        const client = await inner.connect();
        this.#homes.set(client, inner);
        return client;
      } catch (error) {
        if (this.#ended) throw error;
        if (!hasSwitched && switchEncryption(this.#connection, tried, error)) {
          hasSwitched = true;
          this.#renewAfter(inner);
          continue;
        }
        if (inner === this.#inner && !(await this.#pause(attempt, error))) throw error;
      }
    }
  }

  /** @returns whether it is worth trying again. */
  async #pause(attempt: number, error: unknown): Promise<boolean> {
    const pause = PAUSES_MS[attempt - 1];
    if (pause === undefined || !isConnectionLoss(error) || isNoAnswer(error)) return false;
    await delay(pause);
    return !this.#ended;
  }

  /**
   * Runs one statement that reads: a SELECT is run again on another connection when its own is lost.
   * Statements that write go through `inTransaction` or `write`.
   */
  async query<R extends QueryResultRow = QueryResultRow>(
    text: string,
    values?: unknown[],
  ): Promise<QueryResult<R>> {
    const isRepeatable = /^\s*SELECT\b/i.test(text);
    for (let attempt = 1; ; attempt++) {
      const client = await this.connect();
      try {
        const result = await client.query<R>(text, values);
        client.release();
        return result;
      } catch (error) {
        this.discard(client, error);
        if (!isRepeatable || !(await this.#pause(attempt, error))) throw error;
      }
    }
  }

  /** Takes a connection back after an error: into the pool only if the error was the statement's own. */
  discard(client: PoolClient, error: unknown): void {
    if (!isConnectionLoss(error)) {
      client.release();
      return;
    }
    client.release(true);
    // A statement that waits for a lock would otherwise keep its place on the server, and the next one takes another.
    if (isNoAnswer(error)) void cancelStatement(this.#connection, client);
    this.#renewAfter(this.#homes.get(client));
  }

  /** @returns whether to run a transaction again after an error that undid it. */
  async shouldRepeat(attempt: number, error: unknown): Promise<boolean> {
    return isConflict(error) ? attempt < CONFLICT_ATTEMPTS : this.#pause(attempt, error);
  }

  #renewAfter(inner: PgPool | undefined): void {
    if (inner === this.#inner) this.renew();
  }

  /** Closes every connection: the idle ones now, those in use when they are released. */
  renew(): void {
    if (this.#ended) return;
    this.#options.onRenew?.();
    const former = this.#inner;
    this.#inner = this.#createInner();
    const closed = former.end().catch(this.#onError);
    this.#retired.push(closed);
    void closed.then(() => {
      this.#retired = this.#retired.filter((other) => other !== closed);
    });
  }

  /** Waits for the connections in use, then closes all. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await Promise.all([this.#inner.end(), ...this.#retired]);
  }
}

/** A pool whose every wait is bounded. */
export function createPool(
  target: Target,
  max: number,
  onError: (error: Error) => void,
  options: PoolOptions = {},
): Pool {
  return new Pool(target, max, onError, options);
}
