import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import { join } from './join.ts';
import { leave, type Joined } from './session.ts';

const SHORTEST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Our place among those who use the cluster. A session that is lost is taken up again, and
 * PostgreSQL started if it died: without the lock, the next short command to leave would believe
 * itself the last and stop it under us.
 */
export class Presence implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #leaving = new AbortController();
  #joined: Joined | null = null;
  #returning: Promise<void> = Promise.resolve();

  constructor(cluster: Cluster, joined: Joined) {
    this.#cluster = cluster;
    this.#hold(joined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#leaving.signal.aborted) return;
    this.#leaving.abort();
    await this.#returning;
    if (this.#joined) await leave(this.#cluster, this.#joined.client);
  }

  #hold(joined: Joined): void {
    this.#joined = joined;
    joined.client.once('end', () => {
      this.#joined = null;
      if (!this.#leaving.signal.aborted) this.#returning = this.#return();
    });
  }

  async #return(): Promise<void> {
    const { signal } = this.#leaving;
    for (
      let pause = SHORTEST_PAUSE_MS;
      !signal.aborted;
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS)
    ) {
      try {
        await delay(pause, undefined, { signal, ref: false });
        this.#hold(await join(this.#cluster, signal));
        return;
      } catch {
        // The pools report a database that is away; here there is only trying again.
      }
    }
  }
}
