import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import { connectOrStart } from './connect-or-start.ts';
import { releaseSession, type ClusterSession } from './session.ts';
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
  #session: ClusterSession | null = null;
  #reopening: Promise<void> = Promise.resolve();

  constructor(cluster: Cluster, session: ClusterSession) {
    this.#cluster = cluster;
    this.#hold(session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#released.signal.aborted) return;
    this.#released.abort();
    await this.#reopening;
    const session = this.#session;
    if (!session) return;
    const { signal } = new AbortController();
    await withStartLock(this.#cluster.dataDir, signal, () =>
      releaseSession(this.#cluster, session.client),
    );
  }

  #hold(session: ClusterSession): void {
    this.#session = session;
    session.client.once('end', () => {
      this.#session = null;
      if (!this.#released.signal.aborted) this.#reopening = this.#reopen();
    });
  }

  async #reopen(): Promise<void> {
    const { signal } = this.#released;
    for (
      let pause = SHORTEST_PAUSE_MS;
      !signal.aborted;
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS)
    ) {
      try {
        await delay(pause, undefined, { signal, ref: false });
        const reopen = (): Promise<ClusterSession> => connectOrStart(this.#cluster, signal);
        this.#hold(await withStartLock(this.#cluster.dataDir, signal, reopen));
        return;
      } catch {
        // The pools report a database that cannot be reached. This loop only tries again.
      }
    }
  }
}
