import { setTimeout as delay } from 'node:timers/promises';
import type { Case, Stage } from '../case.ts';
import { SmallDisk } from '../faults/disk.ts';
import { checkLeftovers } from '../scene/check.ts';
import { Deployment } from '../scene/deployment.ts';
import { findMountObstacle } from '../scene/obstacles.ts';
import { waitFor } from '../scene/wait.ts';
import { runRounds } from './rounds.ts';

const ORDERS = 30_000;
const DISK_MEBIBYTES = 256;
/** Free bytes that the fault leaves at most. */
const LEFT_BYTES = 100_000;
const FULL_MS = 2_000;
const NOTICE_S = 30;

/** The disk of the store is full from mid-export until an attempt has failed of it, and 2 s more. */
export const diskFull: Case = {
  name: 'disk-full',
  about: 'the disk of the files full from mid-export on, freed when an attempt has failed',
  boundS: 45,
  runs: { long: 5, short: 1 },
  findObstacle: findMountObstacle,
  run,
};

async function run(stage: Stage): Promise<void> {
  let disk: SmallDisk | undefined;
  await using deployment = await Deployment.create(stage, {
    storage: 'directory',
    prepareDirectory: async (directory) =>
      (disk = await SmallDisk.mount(directory, DISK_MEBIBYTES)),
  });
  await deployment.start('serve');
  const api = await deployment.addMerchant('SHOP', ORDERS);
  await deployment.start('work', { TILLROLL_WORKERS: '2' });
  const fault = async (ids: readonly string[]): Promise<'missed' | void> => {
    const findOutcome = async (): Promise<'failed' | 'missed' | null> => {
      const [row] = await deployment.query<{ errors: number; isOpen: boolean }>(
        `SELECT sum(errors)::int AS errors, bool_or(status IN ('PENDING', 'IN_PROGRESS')) AS "isOpen"
         FROM tillroll.exports WHERE id = ANY ($1)`,
        [ids],
      );
      if (row?.errors) return 'failed';
      return row?.isOpen ? null : 'missed';
    };
    await disk?.fill(stage.random.between(0, LEFT_BYTES));
    try {
      if ((await waitFor(findOutcome, NOTICE_S, stage.signal)) === 'missed') return 'missed';
      await delay(FULL_MS);
    } finally {
      await disk?.free();
    }
  };
  await runRounds(stage, deployment, { api, fault });
  const [row] = await deployment.query<{ errors: number }>(
    'SELECT sum(errors)::int AS errors FROM tillroll.exports',
  );
  stage.tally.measure('attempts that failed of it', row?.errors ?? 0, 1, 1_000);
  await checkLeftovers(stage, deployment);
}
