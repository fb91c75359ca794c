/** Databases that a backup is restored into, and archives that were cut or altered. */

import { Readable, Writable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import { ArchiveWriter, readArchive, type ArchiveEntry } from '../../src/backup/archive.ts';
import { restoreDatabase, type Restored } from '../../src/backup/restore.ts';
import { saveDatabase } from '../../src/backup/save.ts';
import { SAVED_TABLES } from '../../src/backup/tables.ts';
import { BossQueue } from '../../src/queue/boss-queue.ts';
import type { Place } from './place.ts';

const { signal } = new AbortController();

/** Takes a backup of a place, in memory. */
export async function takeBackup(place: Place): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const out = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  await saveDatabase(place.pool, out, signal);
  return Buffer.concat(chunks);
}

export async function restoreInto(place: Place, backup: Buffer): Promise<Restored> {
  const target = { connectionString: place.databaseUrl };
  const queue = await BossQueue.open(target, { works: false, onError: () => undefined });
  try {
    return await restoreDatabase(place.pool, queue, Readable.from([backup]), signal);
  } finally {
    await queue.close(1000);
  }
}

/** Every row of every table that is saved, one checksum a table. */
export async function readContents(place: Place): Promise<Record<string, string>> {
  const contents: Record<string, string> = {};
  for (const table of SAVED_TABLES) {
    const { rows } = await place.pool.query<{ sum: string }>(
      `SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ' ' ORDER BY t::text COLLATE "C")), '') AS sum
       FROM tillroll.${table} t`,
    );
    contents[table] = rows[0]?.sum ?? '';
  }
  return contents;
}

/** Makes another archive of the entries of one. */
export async function rewrite(
  backup: Buffer,
  change: (entries: ArchiveEntry[]) => ArchiveEntry[],
): Promise<Buffer> {
  const entries: ArchiveEntry[] = [];
  for await (const entry of readArchive(Readable.from([backup]), signal)) entries.push(entry);
  return makeArchive(change(entries));
}

export async function makeArchive(entries: readonly ArchiveEntry[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const out = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  const writer = new ArchiveWriter(out, new Date(0), signal);
  for (const { name, bytes } of entries) await writer.add(name, bytes);
  await writer.finish();
  return Buffer.concat(chunks);
}

/** Changes bytes of the archive below its compression, whose own checksum then holds. */
export function alterInside(backup: Buffer, from: string, to: string): Buffer {
  const tar = gunzipSync(backup);
  const at = tar.indexOf(from);
  if (at < 0 || from.length !== to.length) throw new Error(`${from} cannot be replaced`);
  tar.write(to, at);
  return gzipSync(tar);
}
