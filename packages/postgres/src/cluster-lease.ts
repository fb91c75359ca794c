import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Cluster } from './cluster.ts';
import { connectOrStart, releaseSession } from './connect.ts';
import { withStartLock } from './start-lock.ts';

const SHORTEST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Keeps PostgreSQL running while this process uses it. A lost session is opened again, and PostgreSQL is started again if
 * it died: without this process's lock, the next short command to finish would stop it as its last user.
 */
export class ClusterLease implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #released = new AbortController();
  /** Null when it was lost and could not be opened again before the release. */
  #session: Promise<pg.Client | null>;

  constructor(cluster: Cluster, session: pg.Client) {
    this.#cluster = cluster;
    this.#session = Promise.resolve(this.#watch(session));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#released.signal.aborted) return;
    this.#released.abort();
    const session = await this.#session;
    if (!session) return;
    const { signal } = new AbortController();
    const release = (): Promise<void> => releaseSession(this.#cluster, session);
    await withStartLock(this.#cluster.dataDir, signal, release);
  }

  #watch(session: pg.Client): pg.Client {
    return session.once('end', () => {
      if (!this.#released.signal.aborted) this.#session = this.#reopen();
    });
  }

  async #reopen(): Promise<pg.Client | null> {
    const { signal } = this.#released;
    const reopen = (): Promise<pg.Client> => connectOrStart(this.#cluster, signal);
    let pause = SHORTEST_PAUSE_MS;
    while (!signal.aborted) {
      try {
        await delay(pause, undefined, { signal, ref: false });
        return this.#watch(await withStartLock(this.#cluster.dataDir, signal, reopen));
      } catch {
        // The pools report a database that cannot be reached. This loop only tries again.
        pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
      }
    }
    return null;
  }
}
