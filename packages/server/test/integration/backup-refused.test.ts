/** Backups that are not restored: cut, altered, of another schema, or into a database that is not empty. */

import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { pieceName, sha256 } from '../../src/backup/archive.ts';
import { encodeDocument, parseHeader } from '../../src/backup/document.ts';
import { readSchema, SCHEMA_VERSION } from '../../src/database/migrations.ts';
import {
  alterInside,
  makeArchive,
  readContents,
  restoreInto,
  rewrite,
  takeBackup,
} from './backup-scene.ts';
import { makePlace, type Place } from './place.ts';

let place: Place;
let target: Place;
let backup: Buffer;
let contents: Record<string, string>;

beforeAll(async () => {
  [place, target] = await Promise.all([makePlace(), makePlace()]);
  await place.install('M1');
  // Enough for several pieces of one table.
  await place.seed('M1', 6000);
  backup = await takeBackup(place);
  contents = await readContents(place);
});

afterAll(async () => {
  await place.remove();
  await target.remove();
});

/** Whatever was refused has changed nothing: afterwards the whole backup goes into the same database. */
async function expectRefused(damaged: Buffer, reason: RegExp): Promise<void> {
  await expect(restoreInto(target, damaged)).rejects.toThrow(reason);
  const { rows } = await target.pool.query(
    'SELECT FROM tillroll.installs UNION ALL SELECT FROM tillroll.orders LIMIT 1',
  );
  expect(rows).toHaveLength(0);
}

const DAMAGED =
  /it is cut|is damaged|was altered|in place of|not in its place|could not be restored|which no backup has|other tables|not a backup|after its end|too large/;

describe('an archive that was cut', () => {
  test.for([0, 1, 10, 100])('after %i bytes', async (length) => {
    await expectRefused(backup.subarray(0, length), DAMAGED);
  });

  test('anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: backup.length - 1 }), (length) =>
        expectRefused(backup.subarray(0, length), DAMAGED),
      ),
      { numRuns: 12 },
    );
  });

  test('below its compression: without its manifest, without a piece, without a table', async () => {
    await expectRefused(
      await rewrite(backup, (entries) => entries.filter(({ name }) => name !== 'manifest.json')),
      /its manifest is missing/,
    );
    await expectRefused(
      await rewrite(backup, (entries) =>
        entries.filter(({ name }) => name !== 'tables/orders/000001.copy'),
      ),
      /not in its place|in place of/,
    );
    await expectRefused(
      await rewrite(backup, (entries) =>
        entries.filter(({ name }) => !name.includes('/installs/')),
      ),
      /table installs has rows 0 in place of 1/,
    );
  });
});

describe('an archive that was altered', () => {
  test('in any one bit', async () => {
    await fc.assert(
      fc.asyncProperty(
        // The first ten bytes say nothing of the contents, and bits before the last eight may be padding.
        fc.integer({ min: 10, max: backup.length - 16 }),
        fc.integer({ min: 0, max: 7 }),
        async (at, bit) => {
          const altered = Buffer.from(backup);
          altered[at] = (altered[at] ?? 0) ^ (1 << bit);
          await expectRefused(altered, DAMAGED);
        },
      ),
      { numRuns: 12 },
    );
  });

  test('in one amount, with a checksum of gzip that holds', async () => {
    const altered = alterInside(backup, '"currency":"USD"', '"currency":"EUR"');
    await expectRefused(altered, /table orders has sha256 \w+ in place of/);
  });

  test('in its header', async () => {
    await expectRefused(
      alterInside(backup, '"views": []', '"views":[ ]'),
      /its header was altered/,
    );
    await expectRefused(alterInside(backup, '"format": 1', '"format": 7'), /it has format 7/);
    await expectRefused(
      alterInside(backup, '"permissions"', '"permission;"'),
      /header.json is damaged/,
    );
  });

  test('in the order of its pieces, or with one twice', async () => {
    await expectRefused(
      await rewrite(backup, (entries) => [
        ...entries.slice(0, 1),
        ...entries.slice(1).toReversed(),
      ]),
      DAMAGED,
    );
    await expectRefused(
      await rewrite(backup, (entries) => entries.flatMap((entry) => [entry, entry])),
      DAMAGED,
    );
  });

  test('or is something else', async () => {
    await expectRefused(Buffer.from('PGDMP of another program'), DAMAGED);
    await expectRefused(
      await makeArchive([{ name: 'letter.txt', bytes: Buffer.from('x') }]),
      /not a backup of Tillroll/,
    );
  });
});

/** A backup as a program of schema 5 would have written it: one export, which ran. */
function makeOlder(): Promise<Buffer> {
  const row = {
    id: '0123456789ABC',
    merchant_id: 'M1',
    app_id: 'a',
    type: 'ORDERS',
    status: 'IN_PROGRESS',
    start_time: 0,
    end_time: 1,
    created_time: 7,
    modified_time: 8,
    attempt: 3,
    job_id: '7d1a2b3c-0000-4000-8000-000000000001',
    sequence: 40,
    source_pid: 4711,
    source_started: 1,
  };
  const header = encodeDocument({
    format: 1,
    tillroll: '0.0.5',
    schemaVersion: 5,
    postgresVersion: '14.1',
    time: new Date(0).toISOString(),
    tables: [{ name: 'exports', columns: Object.keys(row) }],
    views: [],
  });
  const rows = Buffer.from(`${Object.values(row).join('\t')}\n`);
  const proof = { name: 'exports', rows: 1, bytes: rows.length, sha256: sha256(rows) };
  return makeArchive([
    { name: 'header.json', bytes: header },
    { name: pieceName('exports', 0), bytes: rows },
    {
      name: 'manifest.json',
      bytes: encodeDocument({ headerSha256: sha256(header), tables: [proof] }),
    },
  ]);
}

describe('a database', () => {
  let other: Place;
  beforeEach(async () => {
    other = await makePlace();
    return () => other.remove();
  });

  test('that is not empty is refused, with the table that has rows', async () => {
    await other.install('M2');
    const before = await readContents(other);
    await expect(restoreInto(other, backup)).rejects.toThrow(
      /is not empty, tillroll.installs has rows: restore into a new database/,
    );
    expect(await readContents(other)).toEqual(before);
  });

  test('of a newer schema is not saved by this program, although it can run on it', async () => {
    await other.pool.query('INSERT INTO tillroll.schema_version (version) VALUES (99)');
    await expect(takeBackup(other)).rejects.toThrow(
      `the schema is at version 99 and this program knows ${SCHEMA_VERSION}`,
    );
  });

  test('a backup of a newer schema is refused with the version that knows it', async () => {
    const newer = await rewrite(backup, (entries) =>
      entries.map(({ name, bytes }) => {
        if (name !== 'header.json') return { name, bytes };
        const header = { ...parseHeader(name, bytes), schemaVersion: 99, tillroll: '7.0.0' };
        return { name, bytes: Buffer.from(JSON.stringify(header)) };
      }),
    );
    await expect(restoreInto(other, newer)).rejects.toThrow(
      `has schema 99 and this program knows ${SCHEMA_VERSION}: restore it with Tillroll 7.0.0 or newer`,
    );
  });

  test('a backup of an older schema goes into a new database, and is brought up to date', async () => {
    const older = await makeOlder();
    // Into one that the present program has migrated it does not go.
    await expect(restoreInto(target, older)).rejects.toThrow(
      `has schema 5 and this database ${SCHEMA_VERSION}: restore it into a new database`,
    );
    await other.pool.query('DROP SCHEMA tillroll CASCADE');
    const { released } = await restoreInto(other, older);
    expect(released).toBe(1);
    expect((await readSchema(other.pool)).version).toBe(SCHEMA_VERSION);
    const { rows } = await other.pool.query(
      `SELECT id, status, turn_time AS turn, source_pid AS pid,
         nextval(pg_get_serial_sequence('tillroll.exports', 'sequence')) AS next
       FROM tillroll.exports`,
    );
    expect(rows).toEqual([
      { id: '0123456789ABC', status: 'PENDING', turn: 7, pid: null, next: 41 },
    ]);
  });
});

test('afterwards the whole backup is restored into the database that refused all of the others', async () => {
  await restoreInto(target, backup);
  expect(await readContents(target)).toEqual(contents);
});
