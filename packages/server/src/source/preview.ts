/** Says what an export would hold, without reading all of it. */
import { MAX_TIME_MS } from '@tillroll/contract';
import { isStatementTimeout } from '../database/faults.ts';
import type { Pool } from '../database/pool.ts';
import { exportHead } from '../database/session.ts';
import { Unavailable } from '../unavailable.ts';
import {
  countChangesStatement,
  countStatement,
  sampleStatement,
  type Selection,
} from './statement.ts';

/** Seconds after which it is worth asking again. */
const RETRY_AFTER_S = 10;

/** @param boundMs longest time of it. @throws Unavailable */
export async function measureObjects(
  pool: Pool,
  { merchantId, type, startTime, endTime, sinceNumber }: Selection,
  boundMs: number,
): Promise<{ objects: number; meanBytes: number }> {
  const client = await pool.connect().catch(refuse);
  let failure: unknown = new Error('not measured to the end');
  try {
    await client.query(exportHead(pool.readFacts(client)));
    await client.query(`SET LOCAL statement_timeout = ${boundMs}`);
    const values = [merchantId, startTime, sinceNumber === null ? endTime : MAX_TIME_MS];
    const counted = await (sinceNumber === null
      ? client.query<{ objects: number }>(countStatement(type), values)
      : client.query<{ objects: number }>(countChangesStatement(type), [
          merchantId,
          type,
          sinceNumber,
        ]));
    const objects = counted.rows[0]?.objects ?? 0;
    const sampled = await client.query<{ bytes: number }>(sampleStatement(type), values);
    await client.query('COMMIT');
    failure = null;
    return { objects, meanBytes: sampled.rows[0]?.bytes ?? 0 };
  } catch (error) {
    if (isStatementTimeout(error))
      throw new Unavailable(
        `counting the objects took longer than ${boundMs / 1000} s; ask for a shorter range`,
        RETRY_AFTER_S,
      );
    return refuse(error);
  } finally {
    client.release(failure !== null);
  }
}

function refuse(cause: unknown): never {
  const error = new Unavailable('the objects cannot be read at the moment', RETRY_AFTER_S);
  error.cause = cause;
  throw error;
}
