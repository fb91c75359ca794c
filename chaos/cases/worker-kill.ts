import { setTimeout as delay } from 'node:timers/promises';
import type { Case, Stage, StorageKind } from '../case.ts';
import { checkExports, checkLeftovers, recover } from '../scene/check.ts';
import { Deployment } from '../scene/deployment.ts';
import {
  createExports,
  findRunning,
  measureExports,
  waitForStart,
  waitForTakeOver,
  type RunningAttempt,
} from '../scene/exports.ts';
import { findCephObstacle } from '../scene/obstacles.ts';
import { readExpectedFiles } from '../scene/source.ts';

const ORDERS = 30_000;
/** Workers that die in the same round; their exports are taken over at the same time. */
const WIDTH = 4;
/** A dead worker is noticed within so many seconds. */
export const NOTICE_S = 20;
/** Rounds without a kill that met its export before the case gives up. */
const MAX_MISSES = 20;

/** SIGKILL a worker at a random moment of an export. */
export function workerKill(storage: StorageKind): Case {
  return {
    name: storage === 's3' ? 'worker-kill-s3' : 'worker-kill',
    about: `SIGKILL a worker at a random moment of an export, files in ${storage === 's3' ? 'Ceph' : 'a directory'}`,
    boundS: 45,
    runs: { long: 50, short: storage === 's3' ? 0 : 3 },
    ...(storage === 's3' && { findObstacle: findCephObstacle }),
    run: (stage) => run(stage, storage),
  };
}

async function run(stage: Stage, storage: StorageKind): Promise<void> {
  const { tally, runs, signal } = stage;
  await using deployment = await Deployment.create(stage, { storage });
  await deployment.start('serve');
  const api = await deployment.addMerchant('SHOP', ORDERS);
  const expected = await readExpectedFiles(deployment, 'SHOP');
  const width = Math.min(WIDTH, runs);
  await startWorkers(deployment, width);
  const typicalMs = await measureExports(stage, deployment, api, width);
  await checkExports(stage, deployment, () => expected);
  for (let misses = 0; tally.runs < runs && misses < MAX_MISSES;) {
    const ids = await createExports(deployment, api, Math.min(width, runs - tally.runs));
    const killed = await Promise.all(ids.map((id) => killDuring(stage, deployment, id, typicalMs)));
    const landed = killed.filter((each) => each !== null);
    if (landed.length === 0) misses++;
    tally.runs += landed.length;
    // Starts them again as soon as they are gone, as a supervisor does.
    await startWorkers(deployment, width);
    await Promise.all(landed.map((each) => checkNotice(stage, deployment, each)));
    const last = Math.max(...landed.map(({ at }) => at));
    await recover(
      stage,
      deployment,
      landed.length > 0 ? last : performance.now(),
      landed.length > 0,
    );
    await checkExports(stage, deployment, () => expected);
    signal.throwIfAborted();
  }
  await checkLeftovers(stage, deployment);
}

async function startWorkers(deployment: Deployment, count: number): Promise<void> {
  const missing = count - deployment.running('work').length;
  await Promise.all(Array.from({ length: missing }, () => deployment.start('work')));
}

/** Kills the process that runs an export. @returns null when the export was over by then. */
async function killDuring(
  stage: Stage,
  deployment: Deployment,
  id: string,
  typicalMs: number,
): Promise<(RunningAttempt & { at: number }) | null> {
  const momentMs = stage.random.between(0, typicalMs * 0.8);
  if (!(await waitForStart(stage, deployment, id))) return null;
  await delay(momentMs);
  const running = await findRunning(deployment, id);
  const role = deployment.running('work').find(({ pid }) => pid === running?.pid);
  if (!running || !role) return null;
  await role.kill();
  const at = performance.now();
  const after = await findRunning(deployment, id);
  return after?.attempt === running.attempt ? { ...running, at } : null;
}

async function checkNotice(
  stage: Stage,
  deployment: Deployment,
  killed: RunningAttempt & { at: number },
): Promise<void> {
  await waitForTakeOver(stage, deployment, killed, NOTICE_S * 2);
  stage.tally.measure('noticed s', (performance.now() - killed.at) / 1000, null, NOTICE_S);
}
