import { randomBytes, randomUUID } from 'node:crypto';
import {
  exportIdFrom,
  hoursInWords,
  isOpen,
  nextOpen,
  type ExportRequest,
  type Hours,
} from '@tillroll/contract';
import { databaseNow } from '../database/clock.ts';
import { LOCKS } from '../database/locks.ts';
import { inTransaction, type Pool, type PoolClient } from '../database/pool.ts';
import type { ExportQueue } from './queue.ts';
import type { ExportRecord } from './record.ts';
import * as sql from './sql.ts';

/** When and how many exports may be created. */
export interface CreateRules {
  readonly region: string;
  readonly hours: Hours;
  readonly maxOpenExports: number;
  readonly maxOpenExportsPerMerchant: number;
}

/** Creating is refused for now: 503. */
export class Unavailable extends Error {
  override name = 'Unavailable';
  /** Seconds until it is worth trying again; null when that never comes. */
  readonly retryAfterSeconds: number | null;
  constructor(details: string, retryAfterSeconds: number | null) {
    super(details);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

const RETRY_AFTER_MIN_S = 1;
const RETRY_AFTER_MAX_S = 60;
/** Said when nothing is running whose pace could be measured. */
const RETRY_AFTER_UNKNOWN_S = 5;

function refuseOutsideHours(rules: CreateRules, now: number): void {
  if (isOpen(rules.hours, now)) return;
  const opens = nextOpen(rules.hours, now);
  const open = rules.hours.text === 'never' ? 'never open' : `open ${hoursInWords(rules.hours)}`;
  throw new Unavailable(
    `Exports can be created during the availability hours only: region ${rules.region} is ${open}` +
      (opens === null ? '' : `; next opening ${new Date(opens).toISOString()}`),
    opens === null ? null : Math.ceil((opens - now) / 1000),
  );
}

/** When the first of the running exports is likely to end, judged by its pace so far. */
async function estimateSeconds(client: PoolClient, merchantId: string | null): Promise<number> {
  const { rows } = await client.query<{ percentComplete: number; elapsedMs: number }>(
    sql.openProgress,
    [merchantId],
  );
  const remaining = rows
    .filter(({ percentComplete }) => percentComplete > 0)
    .map(
      ({ percentComplete, elapsedMs }) =>
        (elapsedMs * (100 - percentComplete)) / percentComplete / 1000,
    );
  if (remaining.length === 0) return RETRY_AFTER_UNKNOWN_S;
  return Math.min(
    RETRY_AFTER_MAX_S,
    Math.max(RETRY_AFTER_MIN_S, Math.ceil(Math.min(...remaining))),
  );
}

async function refuseAboveLimit(
  client: PoolClient,
  rules: CreateRules,
  merchantId: string,
): Promise<void> {
  const { rows } = await client.query<{ total: number; ofMerchant: number }>(sql.countOpen, [
    merchantId,
  ]);
  const open = rows[0] ?? { total: 0, ofMerchant: 0 };
  if (open.ofMerchant >= rules.maxOpenExportsPerMerchant) {
    throw new Unavailable(
      `Too many open exports: this merchant has ${open.ofMerchant}, the limit is ${rules.maxOpenExportsPerMerchant} per merchant (PENDING and IN_PROGRESS); wait for one to finish`,
      await estimateSeconds(client, merchantId),
    );
  }
  if (open.total >= rules.maxOpenExports) {
    throw new Unavailable(
      `Too many open exports: the service has ${open.total}, the limit is ${rules.maxOpenExports} over all merchants (PENDING and IN_PROGRESS); wait for one to finish`,
      await estimateSeconds(client, null),
    );
  }
}

/**
 * Inserts an export and its job in one transaction.
 * @throws Unavailable outside the hours, or above a limit. The limits are exact, whatever the number
 * of processes: one lock makes counting and inserting one step.
 */
export async function createExport(
  pool: Pool,
  queue: ExportQueue,
  rules: CreateRules,
  owner: { merchantId: string; appId: string },
  request: ExportRequest,
): Promise<ExportRecord> {
  return inTransaction(pool, async (client) => {
    refuseOutsideHours(rules, await databaseNow(client));
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCKS.CREATE_EXPORT]);
    await refuseAboveLimit(client, rules, owner.merchantId);
    const exportId = exportIdFrom(randomBytes(13));
    const jobId = randomUUID();
    const { rows } = await client.query<ExportRecord>(sql.insert, [
      exportId,
      owner.merchantId,
      owner.appId,
      request.type,
      request.startTime,
      request.endTime,
      jobId,
    ]);
    const [record] = rows;
    if (!record) throw new Error('the export was not inserted');
    await queue.enqueueRun(client, { jobId, exportId, delayMs: 0 });
    return record;
  });
}
