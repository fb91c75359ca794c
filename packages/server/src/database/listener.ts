/** Listens to PostgreSQL's notifications, and again after each loss. */
import { setTimeout as delay } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { createClient } from './client.ts';
import type { Connection, Pool } from './pool.ts';

const CONNECT_MS = 10_000;
const STATEMENT_MS = 5_000;
/** Interval at which a session that listens is checked. */
const CHECK_EVERY_MS = 10_000;
const RECONNECT_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
/** Longest time of a notification before it counts as never delivered. */
const DELIVERY_MS = 2_000;

export interface Listener {
  close(): Promise<void>;
}

async function connect(connection: Connection): Promise<Client> {
  const client = createClient(connection, {
    application_name: 'tillroll listener',
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: STATEMENT_MS,
  });
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

/** Tells whether LISTEN works here: a pooler accepts it, and never delivers what it asks for. */
export async function deliversNotifications(connection: Connection, pool: Pool): Promise<boolean> {
  const channel = `tillroll_${randomBytes(6).toString('hex')}`;
  const client = await connect(connection);
  try {
    const delivered = new Promise<boolean>((resolve) => {
      client.once('notification', () => resolve(true));
      setTimeout(() => resolve(false), DELIVERY_MS).unref();
    });
    await client.query(`LISTEN ${channel}`);
    await pool.query('SELECT pg_notify($1, $2)', [channel, '']);
    return await delivered;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Listens on a channel in a session of its own, and again whenever that is lost.
 * @param onListening called after each successful LISTEN: what came before it was not heard.
 * @throws when the first attempt fails.
 */
export async function listen(
  connection: Connection,
  channel: string,
  onNotification: (payload: string) => void,
  onListening: () => void,
): Promise<Listener> {
  const closing = new AbortController();
  const { signal } = closing;

  const subscribe = async (): Promise<Client> => {
    const client = await connect(connection);
    client.on('notification', ({ payload }) => onNotification(payload ?? ''));
    try {
      await client.query(`LISTEN "${channel}"`);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    onListening();
    return client;
  };

  /** Resolves when the session is lost, or does not answer. */
  const watch = async (client: Client): Promise<void> => {
    let isLost = false;
    client.once('end', () => {
      isLost = true;
    });
    while (!signal.aborted && !isLost) {
      await delay(CHECK_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted || isLost) break;
      await client.query('SELECT 1').catch(() => {
        isLost = true;
      });
    }
    await client.end().catch(() => undefined);
  };

  const keep = async (first: Client): Promise<void> => {
    let client: Client | null = first;
    for (let failures = 0; !signal.aborted;) {
      if (client) {
        await watch(client);
        client = null;
        failures = 0;
        continue;
      }
      const pause = RECONNECT_MS[Math.min(failures, RECONNECT_MS.length - 1)];
      await delay(pause, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) break;
      // Polling finds the jobs meanwhile; the pools report the fault.
      client = await subscribe().catch(() => null);
      failures++;
    }
    await client?.end().catch(() => undefined);
  };

  const running = keep(await subscribe());
  return {
    async close() {
      closing.abort();
      await running;
    },
  };
}
