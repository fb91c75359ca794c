/** Lets pg-boss use our connections. */
import type { Db } from 'pg-boss';
import type { Connection, Pool, PoolClient } from '../database/pool.ts';
import { inTransaction } from '../database/transaction.ts';
import { listen } from '../database/listener.ts';

/** Statements that PostgreSQL runs outside of transactions only. */
const OUTSIDE = /\b(CONCURRENTLY|VACUUM)\b/;
/** pg-boss's own transactions, several statements in one text. */
const OWN_TRANSACTION = /^\s*BEGIN;/;

/**
 * pg-boss's statements on our pool: with our settings in each transaction, so that neither a role's
 * defaults nor a pooler matter, with our limits, and with our way of leaving a server that is gone.
 */
export function queueDatabase(connection: Connection, pool: Pool): Db {
  return {
    async executeSql(text, values) {
      if (OUTSIDE.test(text)) return onOwn(pool, (client) => client.query(text, values));
      if (OWN_TRANSACTION.test(text)) {
        return onOwn(pool, (client) =>
          client.query(text.replace(OWN_TRANSACTION, () => `${pool.makeHead(client)};`)),
        );
      }
      return inTransaction(pool, (client) => client.query(text, values));
    },
    listen: (channel, onNotification, onListening) =>
      listen(connection, channel, onNotification, onListening),
  };
}

async function onOwn<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    const result = await work(client);
    client.release();
    return result;
  } catch (error) {
    // It may be in the middle of the transaction that failed.
    client.release(true);
    throw error;
  }
}
