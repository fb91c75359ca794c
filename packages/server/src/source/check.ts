/** Checks that exports can be read, before one is. */
import { EXPORT_TYPES, type ExportType } from '@tillroll/contract';
import { exportHead } from '../database/session.ts';
import type { Source } from './rows.ts';
import { checkStatement, findRelation } from './statement.ts';

/**
 * Checks that exports can be read: the server answers, both relations are there, and this role may read them.
 * @throws what keeps the first of them from being read.
 */
export async function checkSource({ pool }: Pick<Source, 'pool'>): Promise<void> {
  const client = await pool.connect();
  let failure: unknown = new Error('not checked to the end');
  try {
    await client.query(exportHead(pool.readFacts(client)));
    for (const type of EXPORT_TYPES) await client.query(checkStatement(type));
    await client.query('COMMIT');
    failure = null;
  } finally {
    client.release(failure !== null);
  }
}

/** $1 relation: a table of ours, whose rows have numbers of loads, beside those numbers. */
const HAS_NUMBERS = `
  SELECT to_regclass('tillroll.loads') IS NOT NULL AND EXISTS (
    SELECT FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'load_number' AND NOT a.attisdropped
    WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p')) AS found`;

/** Tells whether the source knows what changed: a view, or a database without our tables, does not. */
export async function hasChanges(
  { pool }: Pick<Source, 'pool'>,
  type: ExportType,
): Promise<boolean> {
  const { rows } = await pool.query<{ found: boolean }>(HAS_NUMBERS, [findRelation(type)]);
  return rows[0]?.found ?? false;
}
