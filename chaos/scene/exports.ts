import type { Stage } from '../case.ts';
import type { Api } from './api.ts';
import { countOpen } from './check.ts';
import type { Deployment } from './deployment.ts';
import { requireInTime, waitFor } from './wait.ts';

const START_S = 60;

/** An attempt under way, and the process that runs it. */
export interface RunningAttempt {
  readonly id: string;
  readonly attempt: number;
  readonly pid: number;
}

/** Creates an export. @throws when it is refused. */
export async function createExport(deployment: Deployment, api: Api): Promise<string> {
  const { status, id } = await api.create(deployment.url);
  if (id === null) throw new Error(`an export could not be created: ${status}`);
  deployment.accepted.add(id);
  return id;
}

/** Creates exports at once. */
export function createExports(deployment: Deployment, api: Api, count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, () => createExport(deployment, api)));
}

/** Reads which worker reads an export at this moment, or null. */
export async function findRunning(
  deployment: Deployment,
  id: string,
): Promise<RunningAttempt | null> {
  const [row] = await deployment.query<{ attempt: number; worker: string }>(
    "SELECT attempt, worker FROM tillroll.exports WHERE id = $1 AND status = 'IN_PROGRESS'",
    [id],
  );
  return row ? { id, attempt: row.attempt, pid: Number(row.worker.split('/').at(-2)) } : null;
}

/** Waits until a worker has begun an export. @returns null when it has ended already. */
export async function waitForStart(
  stage: Stage,
  deployment: Deployment,
  id: string,
): Promise<RunningAttempt | null> {
  const ask = async (): Promise<RunningAttempt | 'ended' | null> => {
    const running = await findRunning(deployment, id);
    if (running) return running;
    return (await readStatus(deployment, id)) === 'PENDING' ? null : 'ended';
  };
  const found = await requireInTime(`export ${id} starts`, ask, START_S, stage.signal);
  return found === 'ended' ? null : found;
}

export async function readStatus(deployment: Deployment, id: string): Promise<string> {
  const [row] = await deployment.query<{ status: string }>(
    'SELECT status FROM tillroll.exports WHERE id = $1',
    [id],
  );
  return row?.status ?? 'missing';
}

/** Waits until an attempt after this one runs, or the export has ended. @returns null after `timeoutS`. */
export async function waitForTakeOver(
  stage: Stage,
  deployment: Deployment,
  { id, attempt }: RunningAttempt,
  timeoutS: number,
): Promise<true | null> {
  const isTakenOver = async (): Promise<boolean> => {
    const [row] = await deployment.query<{ is: boolean }>(
      `SELECT attempt > $2 OR status NOT IN ('PENDING', 'IN_PROGRESS') AS is
       FROM tillroll.exports WHERE id = $1`,
      [id, attempt],
    );
    return row?.is ?? false;
  };
  return waitFor(async () => (await isTakenOver()) || null, timeoutS, stage.signal);
}

/** Runs exports that nothing disturbs. @returns the milliseconds that they took from their creation. */
export async function measureExports(
  stage: Stage,
  deployment: Deployment,
  api: Api,
  count = 1,
): Promise<number> {
  const started = performance.now();
  await createExports(deployment, api, count);
  const isOver = async (): Promise<boolean> => (await countOpen(deployment)) === 0;
  await requireInTime('undisturbed exports end', isOver, START_S, stage.signal);
  return performance.now() - started;
}
