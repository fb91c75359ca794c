/** Restores a backup into an empty database. */
import type { Readable } from 'node:stream';
import { orAborted } from '../abort.ts';
import { lockMigrations, migrateTo, SCHEMA_VERSION, readSchema } from '../database/migrations.ts';
import type { Pool, PoolClient } from '../database/pool.ts';
import type { ExportQueue } from '../exports/queue.ts';
import { releaseRestored } from '../exports/restored.ts';
import {
  BadArchive,
  HEADER_ENTRY,
  MANIFEST_ENTRY,
  parsePieceName,
  readArchive,
  sha256,
  type ArchiveEntry,
} from './archive.ts';
import {
  parseHeader,
  parseManifest,
  verifyProofs,
  type BackupHeader,
  type TableProof,
} from './document.ts';
import { TableLoad } from './load-table.ts';
import { checkName, isTable, qualify, readRelations } from './tables.ts';

/** Counts of what was restored. */
export interface Restored {
  readonly header: BackupHeader;
  readonly tables: readonly TableProof[];
  /** Exports that were open, and start again. */
  readonly released: number;
}

/** The database is not one into which this backup can be restored. */
export class NotRestorable extends Error {
  override name = 'NotRestorable';
}

/**
 * Loads a backup into an empty database, in one transaction: all of it, proven by its counts and checksums, or
 * nothing. A database without a schema gets the one of the backup, and then the present one.
 * @throws BadArchive, NotRestorable; what `source` throws; the signal's reason.
 */
export async function restoreDatabase(
  pool: Pool,
  queue: ExportQueue,
  source: Readable,
  signal: AbortSignal,
): Promise<Restored> {
  const entries = readArchive(source, signal);
  const client = await pool.connect();
  let isDone = false;
  try {
    await client.query(pool.makeHead(client));
    // As long as it takes, whatever the archive comes from.
    await client.query(
      'SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0',
    );
    const restored = await orAborted(restoreInTransaction(client, queue, entries), signal);
    await client.query('COMMIT');
    isDone = true;
    return restored;
  } finally {
    await entries.return(undefined);
    // Closing the connection rolls back, also in the middle of a COPY.
    client.release(!isDone);
  }
}

async function restoreInTransaction(
  client: PoolClient,
  queue: ExportQueue,
  entries: AsyncGenerator<ArchiveEntry>,
): Promise<Restored> {
  const first = (await entries.next()).value as ArchiveEntry | undefined;
  if (first?.name !== HEADER_ENTRY) throw new BadArchive('it is not a backup of Tillroll');
  const header = parseHeader(first.name, first.bytes);
  await prepareSchema(client, header);
  await refuseUnlessEmpty(client, header);
  const { tables, manifest } = await loadTables(client, header, entries);
  verifyProofs(parseManifest(MANIFEST_ENTRY, manifest), first.bytes, tables);
  await setSequences(client, header);
  await migrateTo(client, SCHEMA_VERSION);
  await client.query(`ANALYZE ${header.tables.map(({ name }) => qualify(name)).join(', ')}`);
  return { header, tables, released: await releaseRestored(client, queue) };
}

async function prepareSchema(client: PoolClient, header: BackupHeader): Promise<void> {
  const { schemaVersion: wanted, tillroll } = header;
  await lockMigrations(client);
  if (wanted > SCHEMA_VERSION) {
    throw new NotRestorable(
      `the backup has schema ${wanted} and this program knows ${SCHEMA_VERSION}: restore it with Tillroll ${tillroll} or newer`,
    );
  }
  const found = (await readSchema(client)).version;
  if (found === 0) await migrateTo(client, wanted);
  else if (found !== wanted) {
    throw new NotRestorable(
      `the backup has schema ${wanted} and this database ${found}: restore it into a new database, in which no other command ran before`,
    );
  }
}

async function refuseUnlessEmpty(client: PoolClient, header: BackupHeader): Promise<void> {
  const relations = await readRelations(client);
  for (const { name } of header.tables) {
    const relation = relations.find((each) => each.name === name);
    if (!relation) throw new BadArchive(`it has a table ${name}, which its schema has not`);
    if (!isTable(relation)) {
      throw new NotRestorable(
        `${qualify(name)} is not a table here and the backup has rows for it: restore into a new database, and make the view afterwards`,
      );
    }
  }
  const tables = relations.filter(isTable).map(({ name }) => name);
  // Until the end nobody else writes what would have to be merged.
  await client.query(`LOCK TABLE ${tables.map(qualify).join(', ')} IN EXCLUSIVE MODE`);
  for (const name of tables) {
    const { rows } = await client.query<{ filled: boolean }>(
      `SELECT EXISTS (SELECT FROM ${qualify(name)}) AS filled`,
    );
    if (!rows[0]?.filled) continue;
    throw new NotRestorable(
      `the database is not empty, ${qualify(name)} has rows: restore into a new database, in which no service has run`,
    );
  }
}

interface Loaded {
  tables: TableProof[];
  manifest: Buffer;
}

/** Loads the pieces of all tables, in whichever order the tables come. @returns them in the header's order. */
async function loadTables(
  client: PoolClient,
  header: BackupHeader,
  entries: AsyncGenerator<ArchiveEntry>,
): Promise<Loaded> {
  const loads = new TableLoads(client, header);
  let manifest: Buffer | null = null;
  for await (const { name, bytes } of entries) {
    if (manifest) throw new BadArchive(`it has ${name} after its end`);
    if (name === MANIFEST_ENTRY) manifest = bytes;
    else await loads.take(name, bytes);
  }
  if (!manifest) throw new BadArchive('it is cut: its manifest is missing');
  return { tables: await loads.end(), manifest };
}

/** The tables of a backup, loaded one after the other. */
class TableLoads {
  readonly #client: PoolClient;
  readonly #header: BackupHeader;
  readonly #proofs = new Map<string, TableProof>();
  #current: TableLoad | null = null;
  #pieces = 0;

  constructor(client: PoolClient, header: BackupHeader) {
    this.#client = client;
    this.#header = header;
  }

  /** Takes one piece. @throws BadArchive when it is not the one that must come; what the database says to it. */
  async take(name: string, bytes: Buffer): Promise<void> {
    const piece = parsePieceName(name);
    const table = this.#header.tables.find((each) => each.name === piece?.table);
    if (!piece || !table)
      throw new BadArchive(`it has ${JSON.stringify(name)}, which no backup has`);
    if (this.#current?.name !== table.name) {
      await this.#endCurrent();
      if (this.#proofs.has(table.name)) throw new BadArchive(`${name} is not in its place`);
      this.#current = new TableLoad(this.#client, table);
      this.#pieces = 0;
    }
    if (piece.position !== this.#pieces++) throw new BadArchive(`${name} is not in its place`);
    await this.#current.write(bytes);
  }

  /** @returns what came, in the header's order; tables without rows have no pieces. */
  async end(): Promise<TableProof[]> {
    await this.#endCurrent();
    return this.#header.tables.map(({ name }) => {
      const nothing = { name, rows: 0, bytes: 0, sha256: sha256(Buffer.alloc(0)) };
      return this.#proofs.get(name) ?? nothing;
    });
  }

  async #endCurrent(): Promise<void> {
    const load = this.#current;
    this.#current = null;
    if (load) this.#proofs.set(load.name, await load.end());
  }
}

/** Has the numbers that the database gives go on after those that were restored. */
async function setSequences(client: PoolClient, header: BackupHeader): Promise<void> {
  for (const { name } of header.tables) {
    const { rows } = await client.query<{ column: string }>(
      `SELECT attname AS column FROM pg_attribute
       WHERE attrelid = $1::regclass AND attidentity <> '' AND NOT attisdropped`,
      [qualify(name)],
    );
    for (const { column } of rows) {
      await client.query(
        `SELECT setval(pg_get_serial_sequence($1, $2), max("${checkName(column)}")) FROM ${qualify(name)}
         HAVING count(*) > 0`,
        [qualify(name), column],
      );
    }
  }
}
