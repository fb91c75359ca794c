import { setTimeout as delay } from 'node:timers/promises';
import { makeNode } from '../../packages/server/test/integration/node.ts';
import type { Case, Stage } from '../case.ts';
import { checkLeftovers } from '../scene/check.ts';
import { Deployment } from '../scene/deployment.ts';
import { createExport } from '../scene/exports.ts';
import { checkStored, Generations, Loading } from '../scene/generations.ts';
import { runRounds } from './rounds.ts';

const ORDERS = 40_000;
const LOADED = 5_000;
const DOWN_MS = 500;

/** `pg_ctl restart -m immediate`, which is a SIGQUIT and a start, during exports and loads. */
export const postgresRestart: Case = {
  name: 'postgres-restart',
  about: 'PostgreSQL stopped as by pg_ctl -m immediate and started again, during exports and loads',
  boundS: 60,
  runs: { long: 10, short: 1 },
  run,
};

async function run(stage: Stage): Promise<void> {
  await using servers = new AsyncDisposableStack();
  const node = await makeNode({ settings: { max_connections: '100' } });
  servers.defer(() => node.remove());
  await node.start();
  await using deployment = await Deployment.create(stage, { storage: 'directory', node });
  await deployment.start('serve');
  const api = await deployment.addMerchant('SHOP', ORDERS);
  const loaded = await deployment.addMerchant('LOADS', 0);
  const generations = new Generations(LOADED);
  const loading = new Loading(loaded, generations);
  await loading.loadOnce(deployment);
  await deployment.start('work', { TILLROLL_WORKERS: '2' });
  const fault = async (): Promise<void> => {
    loading.begin([deployment.url]);
    try {
      await createExport(deployment, loaded);
      await delay(stage.random.between(0, DOWN_MS));
      await node.stop('SIGQUIT');
      await delay(DOWN_MS);
      await node.start();
    } finally {
      await loading.end();
    }
    const fault = await checkStored(deployment, 'LOADS', loading);
    if (fault !== null) stage.tally.complain('lost', fault);
  };
  await runRounds(stage, deployment, { api, fault, findOthers: generations.findExpected });
  await checkLeftovers(stage, deployment);
}
