import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportObject } from '@tillroll/contract';
import type { Stage } from '../case.ts';
import type { AllowedFailures } from '../tally.ts';
import { download, sha256, type Api } from './api.ts';
import type { Deployment } from './deployment.ts';
import type { ExpectedFiles } from './source.ts';
import { waitFor } from './wait.ts';

/** Time for a worker's sweep at its start, and for PostgreSQL to notice that clients are gone. */
const CLEAN_S = 30;

interface ExportRow {
  id: string;
  merchant: string;
  status: string;
  failure: string | null;
}

/** Finds what an export must hold. @param files the bytes of its files, for a source that changes meanwhile. */
export type FindExpected = (
  merchant: string,
  files: readonly Buffer[],
  id: string,
) => ExpectedFiles;

export function isOpen(status: string): boolean {
  return status === 'PENDING' || status === 'IN_PROGRESS';
}

/** Exports that have not ended. */
export async function countOpen(deployment: Deployment): Promise<number> {
  const [row] = await deployment.query<{ open: number }>(
    "SELECT count(*)::int AS open FROM tillroll.exports WHERE status IN ('PENDING', 'IN_PROGRESS')",
  );
  return row?.open ?? 0;
}

/**
 * Waits until no export is open, and notes how long that took from `since`. Exports that are open when the bound is over
 * are stuck; they are canceled, so that they do not count again.
 * @param isNoted false when there was no fault to recover from.
 */
export async function recover(
  stage: Stage,
  deployment: Deployment,
  since: number,
  isNoted = true,
): Promise<void> {
  const { boundS, signal, tally } = stage;
  const left = Math.max(0, boundS - (performance.now() - since) / 1000);
  const ended = await waitFor(async () => (await countOpen(deployment)) === 0, left, signal);
  if (ended !== null) {
    if (isNoted) tally.recoveriesS.push((performance.now() - since) / 1000);
    return;
  }
  const open = await deployment.query<{ id: string; status: string; attempt: number }>(
    "SELECT id, status, attempt FROM tillroll.exports WHERE status IN ('PENDING', 'IN_PROGRESS')",
  );
  for (const { id, status, attempt } of open) {
    tally.complain('stuck', `export ${id} is ${status}, attempt ${attempt}, after ${boundS} s`);
    await deployment.command(['cancel', id]).catch(() => undefined);
    deployment.checked.add(id);
  }
}

/** Compares every export that ended since the last time with the source. */
export async function checkExports(
  stage: Stage,
  deployment: Deployment,
  findExpected: FindExpected,
  allowed: AllowedFailures = [],
): Promise<void> {
  const { tally } = stage;
  const rows = await deployment.query<ExportRow>(
    `SELECT id, merchant_id AS merchant, status, failure_code AS failure FROM tillroll.exports
     ORDER BY sequence`,
  );
  const known = new Set(rows.map(({ id }) => id));
  for (const id of deployment.accepted) {
    if (!known.has(id) && !deployment.checked.has(id)) {
      tally.complain('lost', `export ${id} was accepted, and there is no such export`);
      deployment.checked.add(id);
    }
  }
  for (const row of rows) {
    if (deployment.checked.has(row.id) || isOpen(row.status)) continue;
    deployment.checked.add(row.id);
    tally.checked++;
    await checkExport(stage, deployment, row, findExpected, allowed);
  }
}

async function checkExport(
  { tally }: Stage,
  deployment: Deployment,
  { id, merchant, status, failure }: ExportRow,
  findExpected: FindExpected,
  allowed: AllowedFailures,
): Promise<void> {
  if (status !== 'DONE') {
    if (status !== 'FAILED' || !allowed.some((code) => code === failure))
      tally.complain('wrong', `export ${id} is ${status} ${failure ?? ''}`);
    return;
  }
  const api = deployment.apis.find((each) => each.merchant === merchant);
  if (!api) throw new Error(`export ${id} is of ${merchant}, which the suite did not install`);
  try {
    const { exported, files } = await readExport(api, deployment.url, id);
    const fault = compare(exported, files, findExpected(merchant, files, id));
    if (fault !== null) tally.complain('wrong', `export ${id}: ${fault}`);
  } catch (error) {
    tally.complain(
      'lost',
      `export ${id}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** @throws for a file that cannot be downloaded. */
export async function readExport(
  api: Api,
  url: string,
  id: string,
): Promise<{ exported: ExportObject; files: Buffer[] }> {
  const exported = await api.read(url, id);
  const files: Buffer[] = [];
  for (const file of exported.exportUrls?.elements ?? []) files.push(await download(url, file.url));
  return { exported, files };
}

/** Finds how an export differs from the source, or from its own manifest; null when it does not. */
export function compare(
  exported: ExportObject,
  files: readonly Buffer[],
  expected: ExpectedFiles,
): string | null {
  if (files.length !== expected.length) return `${files.length} files, not ${expected.length}`;
  const hashes = files.map((file) => sha256(file));
  const different = hashes.findIndex((hash, position) => hash !== expected[position]);
  if (different >= 0) return `file ${different} differs from the source`;
  const manifest = exported.files?.elements ?? [];
  const untrue = hashes.findIndex(
    (hash, position) =>
      manifest[position]?.sha256 !== hash || manifest[position].bytes !== files[position]?.length,
  );
  return untrue < 0 ? null : `file ${untrue} differs from its manifest`;
}

/** Lists what is in the store and belongs to no export. */
export async function findUnowned(deployment: Deployment): Promise<string[]> {
  const rows = await deployment.query<{ prefix: string }>(
    `SELECT e.id || '/' || e.attempt || '/' AS prefix FROM tillroll.exports e
     WHERE e.status = 'DONE' AND NOT e.files_deleted`,
  );
  const owned = new Set(rows.map(({ prefix }) => prefix));
  return (await deployment.store.list()).filter(
    (name) =>
      name !== 'tillroll-store.json' && !owned.has(name.slice(0, name.lastIndexOf('/') + 1)),
  );
}

/**
 * Lets a new worker sweep, ends all processes, and counts what is left: files that no export owns, sessions of
 * PostgreSQL, jobs, spooled uploads.
 */
export async function checkLeftovers(stage: Stage, deployment: Deployment): Promise<void> {
  const { tally, signal } = stage;
  await Promise.all(deployment.running('work').map((role) => role.stop()));
  await deployment.start('work');
  let unowned: string[] = [];
  await waitFor(
    async () => (unowned = await findUnowned(deployment)).length === 0,
    CLEAN_S,
    signal,
  );
  for (const name of unowned) tally.complain('unowned', `${name} belongs to no export`);
  await checkJobs(stage, deployment);
  await deployment.stopRoles();
  if (deployment.isEmbedded) await checkPostmaster(stage, deployment);
  else await checkSessions(stage, deployment);
  for (const directory of await readdir(deployment.directory)) {
    const spooled = await readdir(join(deployment.directory, directory, 'spool')).catch(() => []);
    for (const name of spooled)
      tally.complain('stuck', `${directory}/spool/${name} is left of an upload`);
  }
}

/** Counts sessions that are there although no process of the service runs. */
async function checkSessions({ tally, signal }: Stage, deployment: Deployment): Promise<void> {
  let sessions: { application: string; state: string }[] = [];
  const readSessions = async (): Promise<boolean> => {
    sessions = await deployment.query(
      `SELECT application_name AS application, state FROM pg_stat_activity
       WHERE datname = current_database() AND backend_type = 'client backend'
         AND application_name <> 'chaos'`,
    );
    return sessions.length === 0;
  };
  await waitFor(readSessions, CLEAN_S, signal);
  for (const { application, state } of sessions)
    tally.complain('stuck', `a session of "${application}" is ${state}`);
}

/** Counts jobs of exports, of which none is open. */
async function checkJobs({ tally, signal }: Stage, deployment: Deployment): Promise<void> {
  let jobs: { id: string; state: string }[] = [];
  const readJobs = async (): Promise<boolean> => {
    jobs = await deployment.query(
      "SELECT id, state::text FROM tillroll_queue.job WHERE name = 'run-export' AND state < 'completed'",
    );
    return jobs.length === 0;
  };
  await waitFor(readJobs, CLEAN_S, signal);
  for (const { id, state } of jobs) tally.complain('stuck', `job ${id} is ${state}`);
}

/** Checks that the embedded PostgreSQL ended with the last process that used it. */
async function checkPostmaster({ tally, signal }: Stage, deployment: Deployment): Promise<void> {
  const hasEnded = async (): Promise<boolean> => !(await deployment.hasPostmaster());
  if ((await waitFor(hasEnded, CLEAN_S, signal)) === null)
    tally.complain('stuck', 'the embedded PostgreSQL still runs');
}
