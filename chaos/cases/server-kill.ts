import { setTimeout as delay } from 'node:timers/promises';
import type { Case, Stage } from '../case.ts';
import { checkLeftovers } from '../scene/check.ts';
import { Deployment } from '../scene/deployment.ts';
import type { Role } from '../scene/role.ts';
import { runRounds } from './rounds.ts';

const ORDERS = 40_000;

/** SIGKILL `all` with its own PostgreSQL left behind, and start it again. */
export const serverKill: Case = {
  name: 'server-kill',
  about: 'SIGKILL the server alone, its own PostgreSQL left behind; start it again',
  boundS: 45,
  runs: { long: 10, short: 1 },
  run,
};

async function run(stage: Stage): Promise<void> {
  await using deployment = await Deployment.create(stage, {
    storage: 'directory',
    database: 'embedded',
    settings: { TILLROLL_WORKERS: '2' },
  });
  let server: Role = await deployment.start('all');
  await deployment.connectToEmbedded();
  const api = await deployment.addMerchant('SHOP', ORDERS);
  const fault = async (): Promise<void> => {
    await server.kill();
    // The machine's supervisor takes a moment, or none.
    await delay(stage.random.between(0, 2_000));
    server = await deployment.start('all');
  };
  await runRounds(stage, deployment, { api, fault });
  await checkLeftovers(stage, deployment);
}
