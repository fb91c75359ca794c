/** Loads the rows of one table of a backup. */
import { createHash } from 'node:crypto';
import { finished } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { WITHOUT_LIMIT_MS } from '../database/client.ts';
import type { PoolClient } from '../database/pool.ts';
import type { TableProof } from './document.ts';
import { listColumns, qualify, type SavedTable } from './tables.ts';

/** Takes the pieces of one table into the database, and proves what came. */
export class TableLoad {
  readonly name: string;
  readonly #hash = createHash('sha256');
  readonly #copy;
  readonly #ended: Promise<void>;
  #bytes = 0;

  /** Begins the COPY, within the client's transaction. */
  constructor(client: PoolClient, table: SavedTable) {
    this.name = table.name;
    const text = `COPY ${qualify(table.name)} (${listColumns(table)}) FROM STDIN`;
    this.#copy = Object.assign(copyFrom(text), { query_timeout: WITHOUT_LIMIT_MS });
    this.#ended = finished(this.#copy).catch((cause: unknown) => {
      throw new Error(`table ${table.name} could not be restored`, { cause });
    });
    // Whoever writes or ends it sees the error.
    this.#ended.catch(() => undefined);
    client.query(this.#copy);
  }

  /** @throws PostgreSQL's error, also when an earlier piece caused it. */
  async write(piece: Buffer): Promise<void> {
    this.#hash.update(piece);
    this.#bytes += piece.length;
    const written = new Promise<void>((resolve, reject) => {
      this.#copy.write(piece, (error) => (error ? reject(error) : resolve()));
    }).catch(() => this.#ended);
    // A statement that has failed takes nothing more, and its last write may never be answered.
    await Promise.race([written, this.#ended]);
  }

  /** Ends the COPY. @throws PostgreSQL's error */
  async end(): Promise<TableProof> {
    this.#copy.end();
    await this.#ended;
    return {
      name: this.name,
      rows: this.#copy.rowCount,
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
    };
  }
}
