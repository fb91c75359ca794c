/** Answers polls that come together with one statement. */
import type { StoredInstall } from '../access/installs.ts';
import type { Queryable } from '../database/pool.ts';
import type { ExportWithFiles } from './record.ts';
import * as sql from './sql.ts';

/** The result of a poll. Either is null when there is none. */
export interface Polled {
  /** The install that the token names. */
  install: StoredInstall | null;
  /** The export, if it belongs to that install's merchant and app. */
  export: ExportWithFiles | null;
}

interface Asked {
  readonly installId: string;
  readonly exportId: string;
  readonly resolve: (found: Polled) => void;
  readonly reject: (error: unknown) => void;
}

/** Statements under way at once: while one waits for a slow answer, polls have another. */
const MAX_STATEMENTS = 2;
/** Polls of one statement. Beyond that a larger one saves nothing more. */
const MAX_POLLS = 64;

/**
 * Reads exports for polls, each with the install that its token names, in at most one round trip a poll.
 * Polls that come while the database answers others share the next statement: most of what a poll
 * costs, on both sides of the socket, is the statement and not what it reads. Every poll is read after
 * it was asked for; nothing is kept.
 */
export class PollReader {
  readonly #database: Queryable;
  #waiting: Asked[] = [];
  #statements = 0;

  constructor(database: Queryable) {
    this.#database = database;
  }

  /** The caller must judge the token by the install before it looks at the export. */
  read(installId: string, exportId: string): Promise<Polled> {
    const { promise, resolve, reject } = Promise.withResolvers<Polled>();
    this.#waiting.push({ installId, exportId, resolve, reject });
    // Not at once: requests that came in one read of the event loop share a statement.
    if (this.#waiting.length === 1) setImmediate(() => this.#next());
    return promise;
  }

  #next(): void {
    while (this.#waiting.length > 0 && this.#statements < MAX_STATEMENTS) {
      void this.#run(this.#waiting.splice(0, MAX_POLLS));
    }
  }

  async #run(asked: readonly Asked[]): Promise<void> {
    this.#statements++;
    try {
      const { rows } = await this.#database.query<{ found: Polled | null }>(sql.poll, [
        asked.map(({ installId }) => installId),
        asked.map(({ exportId }) => exportId),
      ]);
      for (const [n, { resolve }] of asked.entries()) {
        resolve(rows[n]?.found ?? { install: null, export: null });
      }
    } catch (error) {
      for (const { reject } of asked) reject(error);
    } finally {
      this.#statements--;
      this.#next();
    }
  }
}
