/** Creates exports, within the hours and the limits. */
import { randomBytes, randomUUID } from 'node:crypto';
import {
  exportIdFrom,
  hoursInWords,
  isOpen,
  nextOpen,
  type ParsedRequest,
  type Hours,
} from '@tillroll/contract';
import { LOCKS } from '../database/locks.ts';
import type { Pool, PoolClient, Queryable } from '../database/pool.ts';
import { inTransaction } from '../database/transaction.ts';
import { findErrorCode } from '../errors.ts';
import { Unavailable } from '../unavailable.ts';
import { findReplay, keepAnswer, type KeyedRequest } from './idempotency.ts';
import type { ExportQueue, RequestId } from './queue.ts';
import type { ExportRecord } from './record.ts';
import * as sql from './sql.ts';

/** The rules for when, and how many, exports may be created. */
export interface CreateRules {
  readonly region: string;
  readonly hours: Hours;
  readonly maxOpenExports: number;
  readonly maxOpenExportsPerMerchant: number;
  /** Null: half of `maxOpenExports`, rounded up, while more than one app is installed. */
  readonly maxOpenExportsPerApp: number | null;
}

/** The owner of a new export. */
interface Owner {
  merchantId: string;
  appId: string;
}

/**
 * Merchants take turns: each further open export of a merchant stands as if it had been created so much later
 * than the one before. Another merchant's first export is ahead of it, and yet it is never overtaken for longer.
 */
export const TURN_MS = 3_600_000;

/** PostgreSQL's code for a lock that was not given in time. */
const LOCK_NOT_AVAILABLE = '55P03';

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

/** Numbers of open exports, in all and of one owner. */
interface OpenExports {
  total: number;
  ofMerchant: number;
  ofApp: number;
  /** True when more than one app has an install that is not revoked. */
  hasSeveralApps: boolean;
  /** PostgreSQL's clock. */
  now: number;
}

async function countOpen(database: Queryable, owner: Owner): Promise<OpenExports> {
  const { rows } = await database.query<OpenExports>(sql.countOpen, [
    owner.merchantId,
    owner.appId,
  ]);
  const [open] = rows;
  if (!open) throw new Error('a count has one row');
  return open;
}

/** Estimates when the first of the running exports will end, by its pace so far. */
async function estimateSeconds(
  database: Queryable,
  of: { merchantId?: string; appId?: string },
): Promise<number> {
  const { rows } = await database.query<{ percentComplete: number; elapsedMs: number }>(
    sql.openProgress,
    [of.merchantId ?? null, of.appId ?? null],
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

/** Computes how many open exports one app may have. Alone it may have all of them. */
function appLimit(rules: CreateRules, open: OpenExports): number {
  if (rules.maxOpenExportsPerApp !== null) return rules.maxOpenExportsPerApp;
  return open.hasSeveralApps ? Math.ceil(rules.maxOpenExports / 2) : rules.maxOpenExports;
}

async function refuseAboveLimit(
  database: Queryable,
  rules: CreateRules,
  { merchantId, appId }: Owner,
  open: OpenExports,
): Promise<void> {
  const states = '(PENDING and IN_PROGRESS); wait for one to finish';
  const ofApp = appLimit(rules, open);
  if (open.ofMerchant >= rules.maxOpenExportsPerMerchant) {
    throw new Unavailable(
      `Too many open exports: this merchant has ${open.ofMerchant}, the limit is ${rules.maxOpenExportsPerMerchant} per merchant ${states}`,
      await estimateSeconds(database, { merchantId }),
    );
  }
  if (open.total >= rules.maxOpenExports) {
    throw new Unavailable(
      `Too many open exports: the service has ${open.total}, the limit is ${rules.maxOpenExports} over all merchants ${states}`,
      await estimateSeconds(database, {}),
    );
  }
  if (open.ofApp >= ofApp) {
    throw new Unavailable(
      `Too many open exports: this app has ${open.ofApp}, the limit is ${ofApp} per app over all merchants ${states}`,
      await estimateSeconds(database, { appId }),
    );
  }
}

/**
 * Refuses what would be refused anyway, in one round trip and without the lock: a flood of creates above
 * a limit holds nobody up.
 * @throws Unavailable outside the hours, or above a limit.
 */
export async function refuseEarly(pool: Pool, rules: CreateRules, owner: Owner): Promise<void> {
  const open = await countOpen(pool, owner);
  refuseOutsideHours(rules, open.now);
  await refuseAboveLimit(pool, rules, owner, open);
}

/** A create, as it was asked for and answered. */
export interface Create {
  readonly owner: Owner;
  readonly request: ParsedRequest;
  /** Of changes: those above this number of a load; null for a range. */
  readonly sinceNumber: number | null;
  /** Of the request that asks for it; the log of the job says it, too. */
  readonly requestId: RequestId;
  /** Null: sent twice, it makes two exports. */
  readonly keyed: KeyedRequest | null;
  /** Renders the answer, which a replay repeats byte for byte. */
  readonly render: (record: ExportRecord) => string;
}

/** The result of a create. */
export interface Created {
  readonly answer: string;
  /** Null for a replay, which created nothing. */
  readonly record: ExportRecord | null;
}

/** Longest wait of a create with a key: for one with the same key that is being answered, or for others. */
const KEYED_WAIT_MS = 5_000;

/**
 * Inserts an export and its job in one transaction; with a key that was used for the same request, repeats its answer.
 * @throws Unavailable outside the hours, or above a limit. The limits are exact, whatever the number
 * of processes: one lock makes counting and inserting one step, and so are equal keys at the same instant. KeyReused.
 */
export async function createExport(
  pool: Pool,
  queue: ExportQueue,
  rules: CreateRules,
  create: Create,
): Promise<Created> {
  return inTransaction(pool, async (client) => {
    await lockCreates(client, create.keyed !== null);
    const replay = create.keyed && (await findReplay(client, create.owner, create.keyed));
    if (replay !== null) return { answer: replay, record: null };
    const open = await countOpen(client, create.owner);
    refuseOutsideHours(rules, open.now);
    await refuseAboveLimit(client, rules, create.owner, open);
    const record = await insertExport(client, queue, create);
    const answer = create.render(record);
    if (create.keyed) await keepAnswer(client, create.owner, create.keyed, answer);
    return { answer, record };
  });
}

async function lockCreates(client: PoolClient, isKeyed: boolean): Promise<void> {
  if (isKeyed) await client.query(`SET LOCAL lock_timeout = ${KEYED_WAIT_MS}`);
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCKS.CREATE_EXPORT]);
  } catch (error) {
    if (!isKeyed || findErrorCode(error) !== LOCK_NOT_AVAILABLE) throw error;
    throw new Unavailable('another create with this Idempotency-Key may be under way', 1);
  }
}

async function insertExport(
  client: PoolClient,
  queue: ExportQueue,
  { owner, request, requestId, sinceNumber }: Create,
): Promise<ExportRecord> {
  const exportId = exportIdFrom(randomBytes(13));
  const jobId = randomUUID();
  const { rows } = await client.query<ExportRecord & { turnTime: number }>(sql.insert, [
    exportId,
    owner.merchantId,
    owner.appId,
    request.type,
    request.startTime,
    request.endTime,
    jobId,
    TURN_MS,
    request.format,
    request.objectsPerFile,
    sinceNumber,
  ]);
  const [row] = rows;
  if (!row) throw new Error('the export was not inserted');
  const { turnTime, ...record } = row;
  await queue.enqueueRun(client, { jobId, exportId, requestId, turnTime, delayMs: 0 });
  return record;
}
