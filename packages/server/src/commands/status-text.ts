/** The text of `status`, and the rules for what counts as wrong. */
import { SCHEMA_VERSION } from '../database/migrations.ts';
import { DEAD_AFTER_MS } from '../database/pulse.ts';
import { FAILURE_GUIDE } from '../exports/failure-guide.ts';
import { toJson, toRows } from './exports.ts';
import { count, formatAge, formatBytes, formatTable, formatTime } from './format.ts';
import type { Activity, ProcessStatus, Status } from './status-read.ts';

/** An export that became FAILED within this is a problem; older ones are shown only. */
const RECENT_FAILURE_MS = 60 * 60_000;

/** Says what is wrong, one line each; none when all is well. The rules stand in docs/operating.md. */
export function findProblems({ database, source, storage, activity }: Status): string[] {
  if (database.fault !== null) return [`the database cannot be used: ${database.fault}`];
  const problems: string[] = [];
  if (source !== null && source.fault !== null)
    problems.push(`the source of the exports cannot be read: ${source.fault}`);
  if (storage !== null && storage.fault !== null) problems.push(`the storage: ${storage.fault}`);
  if (activity) problems.push(...findActivityProblems(activity));
  return problems;
}

function findActivityProblems({ now, processes, counts, failures }: Activity): string[] {
  const problems: string[] = [];
  const roles = new Set(processes.filter(({ isAlive }) => isAlive).map(({ role }) => role));
  const serves = roles.has('all') || roles.has('serve');
  const works = roles.has('all') || roles.has('work');
  if (!serves && !works) problems.push('nothing runs: start "all", or "serve" and "work"');
  else if (!serves) problems.push('no process answers the API: start "serve"');
  else if (!works) problems.push('no worker runs, so no export ends: start "work"');
  for (const { role, host, pid, beatTime, isAlive } of processes) {
    if (isAlive) continue;
    problems.push(
      `${role} ${host}/${pid} is dead or cannot reach the database: its last heartbeat was ${formatAge(now - beatTime)} ago`,
    );
  }
  if (counts.withErrors > 0) {
    problems.push(
      `${count(counts.withErrors, 'open export')} met an error and ${counts.withErrors === 1 ? 'is' : 'are'} tried again: see "exports show"`,
    );
  }
  const recent = failures.filter(({ modifiedTime }) => now - modifiedTime < RECENT_FAILURE_MS);
  if (recent.length > 0) {
    problems.push(`exports became FAILED within the last hour, the last one ${recent[0]?.id}`);
  }
  return problems;
}

/** The screen, line by line. */
export function toScreen(status: Status, problems: readonly string[]): string[] {
  const { activity } = status;
  return [
    problems.length === 0
      ? 'all is well'
      : `something is wrong: ${count(problems.length, 'problem')}`,
    ...problems.map((problem) => `- ${problem}`),
    '',
    ...formatTable(describeParts(status)),
    ...(activity ? describeActivity(activity) : []),
  ];
}

function describeParts({ database, source, storage, activity }: Status): string[][] {
  const { location, version, schemaVersion, fault } = database;
  const facts = [
    ...(version === null ? [] : [`PostgreSQL ${version}`]),
    ...(schemaVersion === null ? [] : [`schema ${schemaVersion}`]),
    ...(location === null ? [] : [location]),
  ];
  const free = storage?.freeBytes ?? null;
  return [
    ['database', fault === null ? 'good' : 'cannot be used', facts.join(', ')],
    ...(source
      ? [['source', source.fault === null ? 'good' : 'cannot be read', source.location]]
      : []),
    ...(storage
      ? [
          [
            'storage',
            storage.fault === null ? 'good' : 'cannot be used',
            `${storage.location}${free === null ? '' : `, ${formatBytes(free)} free`}`,
          ],
        ]
      : [['storage', 'unknown', '']]),
    ...(activity ? [['queue', ...describeQueue(activity)]] : []),
  ];
}

function describeQueue({ queue }: Activity): [string, string] {
  if (queue === null) return ['empty', 'nothing was ever queued'];
  const { due, oldestDueMs, delayed, running } = queue;
  const oldest = due === 0 ? '' : `, the oldest for ${formatAge(oldestDueMs)}`;
  const depth = due + delayed + running === 0 ? 'empty' : count(due + delayed, 'job');
  return [depth, `${due} waiting${oldest}; ${delayed} until the next try; ${running} running`];
}

function describeActivity(activity: Activity): string[] {
  const { processes, counts, open, failures } = activity;
  const total = counts.pending + counts.inProgress;
  return [
    ...section('PROCESSES', processes.length === 0 ? [] : toProcessRows(activity)),
    ...section(
      `OPEN EXPORTS: ${counts.inProgress} IN_PROGRESS, ${counts.pending} PENDING`,
      total === 0 ? [] : toRows(open),
      total > open.length ? [`and ${total - open.length} more: see "exports list"`] : [],
    ),
    ...section(
      'LAST FAILURES',
      failures.length === 0 ? [] : toRows(failures),
      describeAdvice(failures.flatMap(({ failureCode }) => failureCode ?? [])),
    ),
  ];
}

function section(title: string, rows: readonly string[][], after: string[] = []): string[] {
  const lines = rows.length === 0 ? ['none'] : [...formatTable(rows), ...after];
  return ['', title, ...lines.map((line) => `  ${line}`)];
}

function describeAdvice(codes: readonly (keyof typeof FAILURE_GUIDE)[]): string[] {
  return [...new Set(codes)].map((code) => {
    const { happened, todo } = FAILURE_GUIDE[code];
    return `${code}: ${happened}. ${todo}`;
  });
}

function toProcessRows({ now, processes }: Activity): string[][] {
  return [
    ['ROLE', 'PROCESS', 'VERSION', 'SINCE', 'AGE', 'HEARTBEAT', 'EXPORTS'],
    ...processes.map((each) => [
      each.role,
      `${each.host}/${each.pid}`,
      each.version,
      formatTime(each.startedTime),
      formatAge(now - each.startedTime),
      describeBeat(each),
      each.exports.join(' '),
    ]),
  ];
}

function describeBeat({ now, beatTime, isAlive }: ProcessStatus): string {
  return `${isAlive ? '' : 'dead: '}${formatAge(now - beatTime)} ago`;
}

/** The output of `status --json`: every time is ISO 8601, every age is in seconds. */
export function toStatusJson(
  { database, source, storage, activity }: Status,
  problems: readonly string[],
): Record<string, unknown> {
  const { location, version, schemaVersion, fault } = database;
  return {
    isWell: problems.length === 0,
    problems,
    database: {
      isGood: fault === null,
      fault,
      location,
      postgresVersion: version,
      schemaVersion,
      neededSchemaVersion: SCHEMA_VERSION,
    },
    source: source && { isGood: source.fault === null, ...source },
    storage: storage && { isGood: storage.fault === null, ...storage },
    ...(activity && toActivityJson(activity)),
  };
}

function toActivityJson(activity: Activity): Record<string, unknown> {
  const { now, queue, processes, counts, open, failures } = activity;
  return {
    time: formatTime(now),
    queue: queue && {
      waiting: queue.due,
      oldestWaitingSeconds: queue.due === 0 ? null : queue.oldestDueMs / 1000,
      delayed: queue.delayed,
      running: queue.running,
    },
    deadAfterSeconds: DEAD_AFTER_MS / 1000,
    processes: processes.map((each) => ({
      role: each.role,
      host: each.host,
      pid: each.pid,
      version: each.version,
      startedTime: formatTime(each.startedTime),
      isAlive: each.isAlive,
      heartbeatAgeSeconds: (now - each.beatTime) / 1000,
      exports: each.exports,
    })),
    openExports: { ...counts, exports: open.map(toJson) },
    failures: failures.map(toJson),
  };
}
