/** Makes clients of pg with our settings: types, time limits, encryption. */
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Client, types, type ClientConfig, type QueryConfig } from 'pg';
import type { Connection } from './connection.ts';

const INT8_OID = 20;

/**
 * `bigint` columns hold times and money: integers that ECMAScript's numbers hold exactly. One that
 * does not fit is an error, never a rounded amount.
 */
function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit a number`);
  return value;
}

const TYPES: NonNullable<ClientConfig['types']> = {
  getTypeParser: (oid, format) =>
    // pg's own declaration leaves the parser untyped.
    oid === INT8_OID && format !== 'binary' ? parseInt8 : types.getTypeParser(oid, format),
};

/** The settings of a client, for whatever connects without a pool, too. */
export function clientConfig(connection: Connection): ClientConfig {
  const { host, port, user, password, database, options, sslnegotiation, ssl } = connection;
  return {
    host,
    port,
    user,
    password,
    database,
    // A copy: pg hides the key of the object that it is given.
    ssl: ssl === false ? false : { ...ssl },
    ...(options !== undefined && { options }),
    // Said outright, because PGSSLNEGOTIATION would otherwise apply where there is no TLS.
    sslnegotiation: ssl === false ? 'postgres' : (sslnegotiation ?? 'postgres'),
    application_name: 'tillroll',
    keepAlive: true,
    // Otherwise the system asks a silent peer for the first time after two hours.
    keepAliveInitialDelayMillis: 10_000,
    types: TYPES,
  };
}

/** Longest time that a server may take to accept a connection. */
export const CONNECT_MS = 10_000;

/** pg's connection below its client, which its types do not show. */
interface Wire {
  readonly connection: EventEmitter & { readonly stream: Socket };
}

/** A class of clients, for a pool that makes its own. */
export function clientClass(settings: ClientConfig): new () => Client {
  return class extends Client {
    constructor() {
      super(settings);
      const { connection } = this as unknown as Wire;
      // pg leaves a socket open over which it could not log in.
      connection.on('error', () => connection.stream.destroy());
      // A statement that is waiting fails with the broken link. Without a listener the event would end the process.
      this.on('error', () => undefined);
    }
  };
}

/** One connection of its own, for what cannot share one; not connected yet. */
export function createClient(connection: Connection, settings: ClientConfig): Client {
  return new (clientClass({ ...clientConfig(connection), ...settings }))();
}

/** Limit of a statement that only opens or undoes a transaction. */
const BRIEF_MS = 5_000;

/** A statement with a short limit, whatever the limit of its pool; pg's types do not know of it. */
export function brief(text: string): QueryConfig {
  return { text, query_timeout: BRIEF_MS } as QueryConfig;
}

/** Longest time that a timer can hold. */
export const WITHOUT_LIMIT_MS = 2 ** 31 - 1;

/** A statement that this side never gives up, whatever the limit of its pool: the server's own limit holds. */
export function withoutLimit(text: string): QueryConfig {
  return { text, query_timeout: WITHOUT_LIMIT_MS } as QueryConfig;
}
