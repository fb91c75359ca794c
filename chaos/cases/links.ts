import { setTimeout as delay } from 'node:timers/promises';
import type { Case, Stage } from '../case.ts';
import type { LinkState } from '../faults/tcp-proxy.ts';
import { checkLeftovers } from '../scene/check.ts';
import { Deployment } from '../scene/deployment.ts';
import { runRounds } from './rounds.ts';

const ORDERS = 40_000;

interface Link {
  readonly name: string;
  readonly about: string;
  readonly state: LinkState;
  readonly faultMs: number;
  readonly boundS: number;
  readonly short: number;
}

const LINKS: readonly Link[] = [
  {
    name: 'link-cut',
    about: 'the link to PostgreSQL cut for 3 s in mid-export',
    state: 'cut',
    faultMs: 3_000,
    boundS: 45,
    short: 1,
  },
  {
    name: 'link-stall',
    about: 'the link to PostgreSQL stalled for 5 s in mid-export',
    state: 'stalled',
    faultMs: 5_000,
    boundS: 45,
    short: 1,
  },
  {
    name: 'link-slow',
    about: 'the link to PostgreSQL at 500 kB/s a connection for 8 s in mid-export',
    state: { bytesPerSecond: 500_000 },
    faultMs: 8_000,
    boundS: 45,
    short: 0,
  },
];

/** The link of every process to PostgreSQL fails. */
export const LINK_CASES: readonly Case[] = LINKS.map(({ name, about, boundS, short, ...link }) => ({
  name,
  about,
  boundS,
  runs: { long: 5, short },
  run: (stage) => run(stage, link),
}));

async function run(stage: Stage, { state, faultMs }: Pick<Link, 'state' | 'faultMs'>) {
  await using deployment = await Deployment.create(stage, { storage: 'directory', isLinked: true });
  await deployment.start('serve');
  const api = await deployment.addMerchant('SHOP', ORDERS);
  await deployment.start('work', { TILLROLL_WORKERS: '2' });
  const fault = async (): Promise<void> => {
    deployment.setLink(state);
    try {
      await delay(faultMs, undefined, { signal: stage.signal });
    } finally {
      deployment.setLink('open');
    }
  };
  await runRounds(stage, deployment, { api, fault });
  await checkLeftovers(stage, deployment);
}
