import { setTimeout as delay } from 'node:timers/promises';
import type { Case, Stage } from '../case.ts';
import type { Api } from '../scene/api.ts';
import { checkExports, checkLeftovers, countOpen, isOpen } from '../scene/check.ts';
import { Deployment } from '../scene/deployment.ts';
import { createExport, readStatus } from '../scene/exports.ts';
import { findGrowth, readMemoryMb } from '../scene/memory.ts';
import type { Role } from '../scene/role.ts';
import { readExpectedFiles, type ExpectedFiles } from '../scene/source.ts';
import { requireInTime, waitFor } from '../scene/wait.ts';

const ORDERS = 1_500;
const EXPORTS = { long: 2_000, short: 60 };
const MERCHANTS = ['SHOP1', 'SHOP2', 'SHOP3', 'SHOP4'];
const RETENTION_S = 20;
const END_S = 60;
/** Growth of a process's memory from the second quarter of the day to the last. */
const GROWTH_MB = 40;
const SAMPLE_MS = 500;

/** A day of operation in minutes: exports come, are downloaded, expire and are forgotten. */
export const day: Case = {
  name: 'day',
  about: `${EXPORTS.long} exports with a short retention: storage and tables end empty, memory stays flat`,
  // From the end of the last export: its retention, and the deletion of all that is left.
  boundS: RETENTION_S + 60,
  runs: { long: 1, short: 0 },
  run,
};

async function run(stage: Stage): Promise<void> {
  const { tally, isShort } = stage;
  await using deployment = await Deployment.create(stage, {
    storage: 'directory',
    settings: {
      TILLROLL_RETENTION: `${RETENTION_S}s`,
      TILLROLL_EXPORT_HISTORY: `${RETENTION_S}s`,
    },
  });
  const serve = await deployment.start('serve');
  const work = await deployment.start('work', { TILLROLL_WORKERS: '2' });
  const expected = new Map<string, ExpectedFiles>();
  for (const merchant of MERCHANTS) {
    await deployment.addMerchant(merchant, ORDERS);
    expected.set(merchant, await readExpectedFiles(deployment, merchant));
  }
  let left = isShort ? EXPORTS.short : EXPORTS.long;
  const sampling = sampleMemory([serve, work]);
  const customer = async (api: Api): Promise<void> => {
    while (left-- > 0) {
      const id = await createExport(deployment, api);
      const hasEnded = async (): Promise<boolean> => !isOpen(await readStatus(deployment, id));
      await requireInTime(`export ${id} ends`, hasEnded, END_S, stage.signal);
      // On a busy machine checks are slower than exports, whose files expire meanwhile.
      const isChecked = (): Promise<boolean> => Promise.resolve(deployment.checked.has(id));
      await requireInTime(`export ${id} is checked`, isChecked, END_S, stage.signal);
    }
  };
  let isOver = false;
  // One check at a time: it takes all exports that ended since the last one.
  const checking = (async () => {
    for (let isLast = false; !isLast; await delay(100)) {
      isLast = isOver;
      await checkExports(stage, deployment, (merchant) => expected.get(merchant) ?? []);
    }
  })();
  try {
    await Promise.all(deployment.apis.flatMap((api) => [customer(api), customer(api)]));
  } finally {
    isOver = true;
    await checking;
  }
  const ended = performance.now();
  const samples = sampling.end();
  for (const [role, of] of samples)
    tally.measure(`memory growth of ${role.name}, MB`, findGrowth(of), null, GROWTH_MB);
  if ((await countOpen(deployment)) > 0) tally.complain('stuck', 'exports are open after the day');
  await checkEmpty(stage, deployment, ended);
  tally.runs = 1;
  await checkLeftovers(stage, deployment);
}

function sampleMemory(roles: readonly Role[]) {
  const samples = new Map(roles.map((role) => [role, [] as number[]]));
  const timer = setInterval(() => {
    for (const [role, of] of samples)
      readMemoryMb(role.pid).then(
        (memory) => of.push(memory),
        () => undefined,
      );
  }, SAMPLE_MS);
  return {
    end(): Map<Role, number[]> {
      clearInterval(timer);
      return samples;
    },
  };
}

/** Waits until no file is stored, lets a new worker sweep, and counts what the tables still hold. */
async function checkEmpty(stage: Stage, deployment: Deployment, ended: number): Promise<void> {
  const { tally, boundS, signal } = stage;
  const isStoreEmpty = async (): Promise<boolean> =>
    (await deployment.store.list()).every((name) => name === 'tillroll-store.json');
  if ((await waitFor(isStoreEmpty, boundS, signal)) === null)
    tally.complain('unowned', 'files of expired exports are still stored');
  await delay(Math.max(0, RETENTION_S * 2 * 1000 - (performance.now() - ended)));
  // A sweep comes every ten minutes, and when a worker starts.
  await deployment.start('work');
  const countRows = async (): Promise<number> => {
    const [row] = await deployment.query<{ rows: number }>(
      `SELECT (SELECT count(*) FROM tillroll.exports)::int +
         (SELECT count(*) FROM tillroll.export_files)::int AS rows`,
    );
    return row?.rows ?? Number.NaN;
  };
  await waitFor(async () => (await countRows()) === 0, boundS, signal);
  tally.measure('rows left', await countRows(), 0, 0);
  tally.recoveriesS.push((performance.now() - ended) / 1000);
}
