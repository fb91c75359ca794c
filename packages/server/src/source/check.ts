/** Checks that exports can be read, before one is. */
import { EXPORT_TYPES } from '@tillroll/contract';
import { exportHead } from '../database/session.ts';
import type { Source } from './rows.ts';
import { checkStatement } from './statement.ts';

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
