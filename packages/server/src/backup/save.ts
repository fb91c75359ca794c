/** Saves our own tables to a backup. */
import { createHash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { to as copyTo } from 'pg-copy-streams';
import { orAborted } from '../abort.ts';
import { WITHOUT_LIMIT_MS } from '../database/client.ts';
import { readSchema, SCHEMA_VERSION, schemaFault } from '../database/migrations.ts';
import type { Pool, PoolClient } from '../database/pool.ts';
import { snapshotHead } from '../database/session.ts';
import { VERSION } from '../version.ts';
import { ArchiveWriter, HEADER_ENTRY, MANIFEST_ENTRY, pieceName, sha256 } from './archive.ts';
import { encodeDocument, FORMAT, type BackupHeader, type TableProof } from './document.ts';
import {
  isTable,
  listColumns,
  qualify,
  readColumns,
  readRelations,
  type Relation,
  type SavedTable,
} from './tables.ts';

/** Bytes of a table that are gathered to one entry of the archive. */
const PIECE_BYTES = 4 * 1024 * 1024;

/** Counts of what was saved. */
export interface Saved {
  readonly header: BackupHeader;
  readonly tables: readonly TableProof[];
}

/**
 * Writes all rows of our tables, as they are at one moment, to an archive. Nothing else waits for it, and it
 * waits for nothing: loads and exports continue.
 * @throws what keeps the database from being read or the archive from being written; the signal's reason.
 */
export async function saveDatabase(pool: Pool, out: Writable, signal: AbortSignal): Promise<Saved> {
  const client = await pool.connect();
  let isDone = false;
  try {
    const saved = await orAborted(save(pool, client, out, signal), signal);
    isDone = true;
    return saved;
  } finally {
    // Closing the connection ends whatever statement is under way.
    client.release(!isDone);
  }
}

async function save(
  pool: Pool,
  client: PoolClient,
  out: Writable,
  signal: AbortSignal,
): Promise<Saved> {
  const relations = await readUsable(client);
  const tables = relations.filter(isTable).map(({ name }) => name);
  await client.query(snapshotHead(pool.readFacts(client)));
  // Before the snapshot is taken, by the first query: nobody changes the tables until the end.
  await client.query(`LOCK TABLE ${tables.map(qualify).join(', ')} IN ACCESS SHARE MODE`);
  const header = await readHeader(client, relations);
  const writer = new ArchiveWriter(out, new Date(header.time), signal);
  try {
    const headerBytes = encodeDocument(header);
    await writer.add(HEADER_ENTRY, headerBytes);
    const proofs: TableProof[] = [];
    for (const table of header.tables) proofs.push(await saveTable(client, table, writer, signal));
    const manifest = { headerSha256: sha256(headerBytes), tables: proofs };
    await writer.add(MANIFEST_ENTRY, encodeDocument(manifest));
    await writer.finish();
    await client.query('COMMIT');
    return { header, tables: proofs };
  } catch (error) {
    await writer.abort(error);
    throw error;
  }
}

/** Finds the tables to save. @throws when the schema does not fit this program. */
async function readUsable(client: PoolClient): Promise<Relation[]> {
  const fault = await schemaFault(client);
  if (fault !== null) throw new Error(fault);
  return readRelations(client);
}

async function readHeader(
  client: PoolClient,
  relations: readonly Relation[],
): Promise<BackupHeader> {
  const { rows } = await client.query<{ version: string; now: number }>(
    `SELECT current_setting('server_version') AS version, tillroll.now_ms() AS now`,
  );
  const [facts] = rows;
  if (!facts) throw new Error('the database did not tell its version');
  const { version } = await readSchema(client);
  if (version !== SCHEMA_VERSION) {
    throw new Error(
      `the schema is at version ${version} and this program knows ${SCHEMA_VERSION}, so it might not save all: back up with the Tillroll of that schema`,
    );
  }
  const saved: SavedTable[] = [];
  for (const { name } of relations.filter(isTable))
    saved.push({ name, columns: await readColumns(client, name) });
  return {
    format: FORMAT,
    tillroll: VERSION,
    schemaVersion: version,
    postgresVersion: facts.version,
    time: new Date(facts.now).toISOString(),
    tables: saved,
    views: relations.filter((relation) => !isTable(relation)).map(({ name }) => name),
  };
}

async function saveTable(
  client: PoolClient,
  table: SavedTable,
  writer: ArchiveWriter,
  signal: AbortSignal,
): Promise<TableProof> {
  const { name } = table;
  const hash = createHash('sha256');
  let bytes = 0;
  let position = 0;
  let piece: Buffer[] = [];
  let pieceBytes = 0;
  const flush = async (): Promise<void> => {
    if (pieceBytes === 0) return;
    const whole = Buffer.concat(piece);
    piece = [];
    pieceBytes = 0;
    await writer.add(pieceName(name, position++), whole);
  };
  // A query of a table, where COPY of the table itself refuses one that is partitioned.
  const text = `COPY (SELECT ${listColumns(table)} FROM ${qualify(name)}) TO STDOUT`;
  const rows = await copyOut(client, text, signal, async (chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
    piece.push(chunk);
    pieceBytes += chunk.length;
    if (pieceBytes >= PIECE_BYTES) await flush();
  });
  await flush();
  return { name, rows, bytes, sha256: hash.digest('hex') };
}

/** Runs a COPY TO STDOUT, and hands on what comes, no faster than it is taken. @returns the number of rows. */
async function copyOut(
  client: PoolClient,
  text: string,
  signal: AbortSignal,
  take: (chunk: Buffer) => Promise<void>,
): Promise<number> {
  // pg ends a statement by a timer, which `callback` stops; its streams call it not.
  const copy = Object.assign(copyTo(text), {
    query_timeout: WITHOUT_LIMIT_MS,
    callback: () => undefined,
  });
  client.query(copy);
  const onAbort = (): void => void copy.destroy(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    for await (const chunk of copy as AsyncIterable<Buffer>) await take(chunk);
    // The number comes after the last row; what is asked next is answered after it.
    await client.query('SELECT');
    return copy.rowCount;
  } finally {
    signal.removeEventListener('abort', onAbort);
    copy.callback();
  }
}
