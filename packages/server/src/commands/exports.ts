/** The operator's commands `exports list`, `show`, `retry` and `cancel`. */
import { EXPORT_STATUSES, type ExportStatus } from '@tillroll/contract';
import { FAILURE_GUIDE } from '../exports/failure-guide.ts';
import {
  findExport,
  listAllExports,
  readFileTotals,
  reopenExport,
  type ExportOverview,
  type FileTotals,
} from '../exports/operator.ts';
import { cancelExport } from '../exports/upkeep.ts';
import { BossQueue, type QueuedJob } from '../queue/boss-queue.ts';
import { endStatements } from './end-statements.ts';
import { count, formatAge, formatBytes, formatTable, formatTime, toIso } from './format.ts';
import { checkedId } from './installs.ts';
import { print } from './print.ts';
import { UsageError, withDatabase } from './run.ts';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 100_000;

/** Options of `exports list` as they are typed. */
export interface ListOptions {
  merchant?: string;
  app?: string;
  status?: string;
  limit?: string;
  json?: boolean;
}

function checkedStatus(text: string): ExportStatus {
  const status = EXPORT_STATUSES.find((candidate) => candidate === text);
  if (status) return status;
  throw new UsageError(
    `--status must be one of ${EXPORT_STATUSES.join(', ')}; got ${JSON.stringify(text.slice(0, 80))}`,
  );
}

function checkedLimit(text: string): number {
  const limit = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new UsageError(
    `--limit must be a whole number from 1 to ${MAX_LIMIT}; got ${JSON.stringify(text.slice(0, 80))}`,
  );
}

export async function listExportsCommand(options: ListOptions, signal: AbortSignal): Promise<void> {
  const { merchant, app, status, limit } = options;
  const filter = {
    merchantId: merchant === undefined ? null : checkedId('--merchant', merchant),
    appId: app === undefined ? null : checkedId('--app', app),
    status: status === undefined ? null : checkedStatus(status),
    limit: limit === undefined ? DEFAULT_LIMIT : checkedLimit(limit),
  };
  const exports = await withDatabase(signal, ({ pool }) => listAllExports(pool, filter));
  if (options.json) await print(`${JSON.stringify(exports.map(toJson))}\n`);
  else await print(`${formatTable(toRows(exports)).join('\n')}\n`);
}

const HEAD = [
  'EXPORT',
  'MERCHANT',
  'APP',
  'TYPE',
  'STATUS',
  'DONE',
  'ATTEMPT',
  'CREATED',
  'AGE',
  'REASON',
];

/** A table of exports, its head first. */
export function toRows(exports: readonly ExportOverview[]): string[][] {
  const rows = exports.map((each) => [
    each.id,
    each.merchantId,
    each.appId,
    each.type,
    each.status,
    `${each.percentComplete} %`,
    String(each.attempt),
    formatTime(each.createdTime),
    formatAge(each.now - each.createdTime),
    findReason(each) ?? '',
  ]);
  return [HEAD, ...rows];
}

/** The code of what made an export FAILED, or of the last error of one that is open. */
function findReason({ status, failureCode, lastErrorCode }: ExportOverview): string | null {
  return status === 'PENDING' || status === 'IN_PROGRESS' ? lastErrorCode : failureCode;
}

/** An export as `--json` prints it; every time is ISO 8601. */
export function toJson(record: ExportOverview): Record<string, unknown> {
  const { failureCode, lastErrorCode, lastError, lastErrorTime } = record;
  return {
    id: record.id,
    merchant: record.merchantId,
    app: record.appId,
    type: record.type,
    status: record.status,
    percentComplete: record.percentComplete,
    startTime: formatTime(record.startTime),
    endTime: formatTime(record.endTime),
    createdTime: formatTime(record.createdTime),
    startedTime: toIso(record.startedTime),
    modifiedTime: formatTime(record.modifiedTime),
    availableUntil: toIso(record.availableUntil),
    filesDeleted: record.filesDeleted,
    attempt: record.attempt,
    errors: record.errors,
    interruptions: record.interruptions,
    worker: record.worker,
    failure: failureCode === null ? null : { code: failureCode, ...FAILURE_GUIDE[failureCode] },
    lastError:
      lastErrorCode === null
        ? null
        : { code: lastErrorCode, message: lastError, time: toIso(lastErrorTime) },
  };
}

export async function showExportCommand(
  exportId: string,
  options: { json?: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { record, totals, job } = await withDatabase(signal, async ({ connection, pool }) => {
    const found = (await findExport(pool, exportId)) ?? refuseUnknown(exportId);
    const queue = await BossQueue.open(connection, { works: false, onError: () => undefined });
    try {
      return {
        record: found,
        totals: await readFileTotals(pool, exportId),
        job: await queue.findRun(found.jobId),
      };
    } finally {
      await queue.close(1000);
    }
  });
  if (options.json) {
    const jobJson = job && { id: job.id, state: job.state, startAfter: formatTime(job.startAfter) };
    await print(`${JSON.stringify({ ...toJson(record), files: totals, job: jobJson })}\n`);
  } else {
    await print(`${formatTable(describe(record, totals, job)).join('\n')}\n`);
  }
}

function refuseUnknown(exportId: string): never {
  throw new Error(
    `no export ${JSON.stringify(exportId.slice(0, 80))}: the id is wrong, or its record was deleted after TILLROLL_EXPORT_HISTORY, or by purge`,
  );
}

type Lines = string[][];

function describe(record: ExportOverview, totals: FileTotals, job: QueuedJob | null): Lines {
  return [
    ['export', record.id],
    ['merchant', record.merchantId],
    ['app', record.appId],
    ['type', record.type],
    ['range', `${formatTime(record.startTime)} to ${formatTime(record.endTime)}`],
    ['status', `${record.status}, ${record.percentComplete} %`],
    ['created', withAge(record, record.createdTime)],
    ...(record.startedTime === null ? [] : [['last attempt', withAge(record, record.startedTime)]]),
    ['modified', withAge(record, record.modifiedTime)],
    [
      'attempts',
      `${record.attempt}: ${count(record.errors, 'error')}, ${count(record.interruptions, 'interruption')}`,
    ],
    ...(record.worker === null ? [] : [['worker', record.worker]]),
    ...describeFiles(record, totals),
    ...describeNext(record, job),
    ...describeErrors(record),
  ];
}

function withAge({ now }: ExportOverview, time: number): string {
  return `${formatTime(time)} (${formatAge(now - time)} ago)`;
}

function describeFiles(record: ExportOverview, totals: FileTotals): Lines {
  if (record.status !== 'DONE') return [];
  const { files, objects, bytes, storedBytes } = totals;
  const until = record.availableUntil;
  return [
    [
      'files',
      `${count(files, 'file')}, ${count(objects, 'object')}, ${formatBytes(bytes)}, stored as ${formatBytes(storedBytes)}`,
    ],
    ...(until === null
      ? []
      : [
          [
            'available until',
            `${formatTime(until)}${record.filesDeleted ? ', files deleted' : ''}`,
          ],
        ]),
  ];
}

/** Describes what moves an open export next. */
function describeNext(record: ExportOverview, job: QueuedJob | null): Lines {
  if (record.status !== 'PENDING' && record.status !== 'IN_PROGRESS') return [];
  if (job === null) return [['next', 'it has no job: a worker gives it one within ten minutes']];
  if (job.state === 'active') return [['next', 'a worker runs it']];
  const wait = job.startAfter - record.now;
  return [['next', wait > 0 ? `it is tried again in ${formatAge(wait)}` : 'the next free worker']];
}

function describeErrors(record: ExportOverview): Lines {
  const { failureCode, lastErrorCode, lastError, lastErrorTime } = record;
  const code = failureCode ?? lastErrorCode;
  if (code === null) return [];
  const { happened, todo } = FAILURE_GUIDE[code];
  return [
    [failureCode === null ? 'last error' : 'failure', `${code}: ${happened}`],
    ...(lastError !== null && lastErrorCode === code && lastErrorTime !== null
      ? [['', `${lastError} (${formatAge(record.now - lastErrorTime)} ago)`]]
      : []),
    ['what to do', todo],
  ];
}

export async function retryExportCommand(exportId: string, signal: AbortSignal): Promise<void> {
  await withDatabase(signal, async ({ connection, pool }) => {
    const queue = await BossQueue.open(connection, { works: false, onError: () => undefined });
    try {
      if (!(await reopenExport(pool, queue, exportId))) {
        const { status } = (await findExport(pool, exportId)) ?? refuseUnknown(exportId);
        throw new Error(
          `export ${exportId} is ${status}: only one that is FAILED or CANCELED can be retried`,
        );
      }
    } finally {
      await queue.close(1000);
    }
    await print(`${exportId} is PENDING again\n`);
  });
}

export async function cancelExportCommand(exportId: string, signal: AbortSignal): Promise<void> {
  await withDatabase(signal, async (database, config) => {
    const { pool } = database;
    const statements = await cancelExport(pool, exportId);
    if (!statements) {
      const { status } = (await findExport(pool, exportId)) ?? refuseUnknown(exportId);
      throw new Error(
        `export ${exportId} is ${status}: only one that is PENDING or IN_PROGRESS can be canceled`,
      );
    }
    await endStatements(database, config, statements);
    await print(`${exportId} canceled\n`);
  });
}
