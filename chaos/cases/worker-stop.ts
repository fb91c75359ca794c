import { setTimeout as delay } from 'node:timers/promises';
import type { Case, Stage } from '../case.ts';
import { checkExports, checkLeftovers, countOpen, findUnowned } from '../scene/check.ts';
import { Deployment } from '../scene/deployment.ts';
import {
  createExports,
  findRunning,
  measureExports,
  readStatus,
  waitForStart,
  waitForTakeOver,
  type RunningAttempt,
} from '../scene/exports.ts';
import type { Role } from '../scene/role.ts';
import { readExpectedFiles } from '../scene/source.ts';
import { waitFor } from '../scene/wait.ts';
import { NOTICE_S } from './worker-kill.ts';

const ORDERS = 30_000;
/** Workers that are stopped in the same round; as many others take over. */
const WIDTH = 3;
const MAX_MISSES = 20;

type Stopped = RunningAttempt & { readonly role: Role; readonly at: number };

/**
 * SIGSTOP a worker until another one has taken its export over and completed it, then SIGCONT. The recovery is the
 * time until the loser has removed what it wrote.
 */
export const workerStop: Case = {
  name: 'worker-stop',
  about: 'SIGSTOP a worker past the take-over, then SIGCONT',
  boundS: 30,
  runs: { long: 20, short: 1 },
  run,
};

async function run(stage: Stage): Promise<void> {
  const { tally, runs, signal, boundS } = stage;
  await using deployment = await Deployment.create(stage, { storage: 'directory' });
  await deployment.start('serve');
  const api = await deployment.addMerchant('SHOP', ORDERS);
  const expected = await readExpectedFiles(deployment, 'SHOP');
  const width = Math.min(WIDTH, runs);
  await Promise.all(Array.from({ length: width * 2 }, () => deployment.start('work')));
  const typicalMs = await measureExports(stage, deployment, api, width);
  await checkExports(stage, deployment, () => expected);
  for (let misses = 0; tally.runs < runs && misses < MAX_MISSES;) {
    const ids = await createExports(deployment, api, Math.min(width, runs - tally.runs));
    const all = await Promise.all(ids.map((id) => stopDuring(stage, deployment, id, typicalMs)));
    const stopped = all.filter((each) => each !== null);
    tally.runs += stopped.length;
    if (stopped.length === 0) misses++;
    await Promise.all(stopped.map((each) => checkTakeOver(stage, deployment, each)));
    // The others end what they took over while the stopped ones sleep.
    await waitFor(async () => (await countOpen(deployment)) === 0, boundS, signal);
    for (const { role } of stopped) role.send('SIGCONT');
    const woken = performance.now();
    await Promise.all(stopped.map((each) => checkLoser(stage, deployment, each)));
    if (stopped.length > 0) tally.recoveriesS.push((performance.now() - woken) / 1000);
    await checkExports(stage, deployment, () => expected);
  }
  await checkLeftovers(stage, deployment);
}

/** Stops the process that runs an export. @returns null when the export was over by then. */
async function stopDuring(
  stage: Stage,
  deployment: Deployment,
  id: string,
  typicalMs: number,
): Promise<Stopped | null> {
  const momentMs = stage.random.between(0, typicalMs * 0.8);
  if (!(await waitForStart(stage, deployment, id))) return null;
  await delay(momentMs);
  const running = await findRunning(deployment, id);
  const role = deployment.running('work').find(({ pid }) => pid === running?.pid);
  if (!running || !role) return null;
  role.send('SIGSTOP');
  const at = performance.now();
  const after = await findRunning(deployment, id);
  if (after?.attempt === running.attempt) return { ...running, role, at };
  role.send('SIGCONT');
  return null;
}

async function checkTakeOver(
  stage: Stage,
  deployment: Deployment,
  stopped: Stopped,
): Promise<void> {
  await waitForTakeOver(stage, deployment, stopped, NOTICE_S * 2);
  stage.tally.measure('noticed s', (performance.now() - stopped.at) / 1000, null, NOTICE_S);
}

/** Waits until the worker that lost its export has seen it and left none of its files. */
async function checkLoser(
  { tally, boundS, signal }: Stage,
  deployment: Deployment,
  { id, role }: Stopped,
): Promise<void> {
  const hasGivenUp = async (): Promise<boolean> =>
    (await readStatus(deployment, id)) !== 'IN_PROGRESS' &&
    (await role.readLog()).split('\n').some((line) => isEndOf(line, id));
  if ((await waitFor(hasGivenUp, boundS, signal)) === null)
    tally.complain('stuck', `the worker that lost export ${id} did not give up in ${boundS} s`);
  const left = (await findUnowned(deployment)).filter((name) => name.startsWith(`${id}/`));
  for (const name of left) tally.complain('unowned', `${name} was left by a worker that woke up`);
}

function isEndOf(line: string, id: string): boolean {
  return line.includes(id) && line.includes('"export attempt ended: ');
}
