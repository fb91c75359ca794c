import { setTimeout as delay } from 'node:timers/promises';
import type { Case, Stage } from '../case.ts';
import type { S3Fault, S3Proxy } from '../faults/s3-proxy.ts';
import type { Random } from '../random.ts';
import { checkLeftovers } from '../scene/check.ts';
import { Deployment } from '../scene/deployment.ts';
import { findCephObstacle } from '../scene/obstacles.ts';
import { runRounds } from './rounds.ts';

const ORDERS = 30_000;
/** A file of a thousand orders is about 200 kB when it is compressed. */
const RESET_WITHIN_BYTES = 150_000;

interface Kind {
  readonly name: string;
  readonly about: string;
  readonly short: number;
  readonly faultMs: number;
  readonly boundS: number;
  readonly fault: (random: Random) => S3Fault;
}

const KINDS: readonly Kind[] = [
  {
    name: 's3-500',
    about: 'the S3 server answers 500 for 10 s in mid-export',
    short: 0,
    faultMs: 10_000,
    boundS: 60,
    fault: () => ({ kind: 'answer', status: 500, code: 'InternalError' }),
  },
  {
    name: 's3-slowdown',
    about: 'the S3 server answers 503 SlowDown for 10 s in mid-export',
    short: 0,
    faultMs: 10_000,
    boundS: 60,
    fault: () => ({ kind: 'answer', status: 503, code: 'SlowDown' }),
  },
  {
    name: 's3-reset',
    about: 'connections reset in mid-upload for 5 s',
    short: 1,
    faultMs: 5_000,
    boundS: 60,
    fault: (random) => ({ kind: 'reset', afterBytes: random.between(0, RESET_WITHIN_BYTES) }),
  },
  {
    name: 's3-stall',
    about: 'the S3 server answers nothing for 10 s in mid-export',
    short: 0,
    faultMs: 10_000,
    boundS: 60,
    fault: () => ({ kind: 'stall' }),
  },
  {
    name: 's3-forbidden',
    about: 'the S3 server answers 403 for a minute from mid-export on',
    short: 0,
    faultMs: 60_000,
    // The pause after the third error is 45 s and up to a fifth more.
    boundS: 90,
    fault: () => ({ kind: 'answer', status: 403, code: 'AccessDenied' }),
  },
];

const GATEWAY: Case = {
  name: 's3-gateway',
  about: "Ceph's gateway killed in mid-export and started again after 2 s",
  boundS: 60,
  runs: { long: 5, short: 0 },
  findObstacle: findCephObstacle,
  run: async (stage) => {
    const ceph = await stage.servers.ceph();
    await run(stage, false, async () => {
      await ceph.killGateway();
      await delay(2_000);
      await ceph.startGateway();
    });
  },
};

/** The S3 server fails in mid-export. */
export const S3_CASES: readonly Case[] = [
  ...KINDS.map(({ name, about, short, faultMs, boundS, fault }) => ({
    name,
    about,
    boundS,
    runs: { long: 5, short },
    findObstacle: findCephObstacle,
    run: (stage: Stage) =>
      run(stage, true, async (proxy) => {
        if (!proxy) throw new Error('there is no proxy in front of the S3 server');
        proxy.faults = 0;
        proxy.fault = fault(stage.random);
        try {
          await delay(faultMs, undefined, { signal: stage.signal });
        } finally {
          proxy.fault = null;
        }
        stage.tally.measure('requests that met the fault', proxy.faults, 1, 1_000_000);
      }),
  })),
  GATEWAY,
];

async function run(
  stage: Stage,
  isProxied: boolean,
  fault: (proxy: S3Proxy | null) => Promise<void>,
): Promise<void> {
  await using deployment = await Deployment.create(stage, { storage: 's3', isProxied });
  await deployment.start('serve');
  const api = await deployment.addMerchant('SHOP', ORDERS);
  await deployment.start('work', { TILLROLL_WORKERS: '2' });
  await runRounds(stage, deployment, { api, fault: () => fault(deployment.s3) });
  await checkLeftovers(stage, deployment);
}
