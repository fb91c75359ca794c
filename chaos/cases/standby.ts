import { setTimeout as delay } from 'node:timers/promises';
import { makeNode, type Node } from '../../packages/server/test/integration/node.ts';
import type { Case, Stage } from '../case.ts';
import { TcpProxy } from '../faults/tcp-proxy.ts';
import { checkLeftovers } from '../scene/check.ts';
import { Deployment } from '../scene/deployment.ts';
import { createExport } from '../scene/exports.ts';
import { Generations, Loading } from '../scene/generations.ts';
import { runRounds } from './rounds.ts';

const ORDERS = 30_000;
const LOADED = 2_000;
const REPLICATION = {
  wal_level: 'replica',
  max_wal_senders: '5',
  hot_standby: 'on',
  max_connections: '100',
};
const DOWN_MS = 4_000;
const LAG_MS = 30_000;

/** A primary, its standby, which exports read from, and the service over both. */
interface Pair {
  readonly primary: Node;
  readonly standby: Node;
  /** The address of the source. It leads to the standby at first. */
  readonly source: TcpProxy;
  readonly deployment: Deployment;
  /** A merchant whose orders are loaded during the case. */
  readonly loading: Loading;
}

interface StandbyFault {
  readonly name: string;
  readonly about: string;
  readonly boundS: number;
  readonly fault: (stage: Stage, pair: Pair) => Promise<void>;
  /** The fault changes the roles of the servers: each run begins with a new pair. */
  readonly isFinal: boolean;
  /** The standby has what was acknowledged before the fault. */
  readonly isSynchronous?: boolean;
}

const FAULTS: readonly StandbyFault[] = [
  {
    name: 'standby-stopped',
    about: 'the standby that exports read from is killed in mid-export and started again after 4 s',
    boundS: 60,
    isFinal: false,
    fault: async (_, { standby }) => {
      await standby.stop('SIGKILL');
      await delay(DOWN_MS);
      await standby.start();
    },
  },
  {
    name: 'standby-lagging',
    about:
      'the standby replays nothing for 30 s: an export has what was loaded before it all the same',
    boundS: 45,
    isFinal: false,
    fault: async (stage, { standby, deployment, loading }) => {
      await standby.administer('SELECT pg_wal_replay_pause()');
      await loading.loadOnce(deployment);
      await createExport(deployment, loading.api);
      await delay(LAG_MS, undefined, { signal: stage.signal });
      await standby.administer('SELECT pg_wal_replay_resume()');
    },
  },
  {
    name: 'standby-promoted',
    about: 'the standby is promoted beside its primary; 4 s later the source is the primary',
    // A wait for a standby that is behind takes up to 60 s, and the pause after it up to 6 s.
    boundS: 100,
    isFinal: true,
    fault: async (_, { primary, standby, source, deployment, loading }) => {
      await promote(standby);
      await loading.loadOnce(deployment);
      await createExport(deployment, loading.api);
      await delay(DOWN_MS);
      source.target = primary.port;
    },
  },
  {
    name: 'failover',
    about: 'the primary is killed in mid-export, and its standby takes its place',
    boundS: 60,
    isFinal: true,
    isSynchronous: true,
    fault: async (_, { primary, standby, deployment, loading }) => {
      await loading.loadOnce(deployment);
      await createExport(deployment, loading.api);
      await primary.stop('SIGKILL');
      await promote(standby);
      deployment.retarget(standby.port);
      deployment.connectTo(standby);
    },
  },
];

/** The servers of a replicating pair fail, and change their roles. */
export const STANDBY_CASES: readonly Case[] = FAULTS.map((fault) => ({
  name: fault.name,
  about: fault.about,
  boundS: fault.boundS,
  runs: { long: 5, short: 0 },
  run: (stage: Stage) => run(stage, fault),
}));

async function run(stage: Stage, fault: StandbyFault): Promise<void> {
  const { tally, runs } = stage;
  for (let before = -1; tally.runs < runs && before < tally.runs;) {
    before = tally.runs;
    await runPair({ ...stage, runs: fault.isFinal ? tally.runs + 1 : runs }, fault);
  }
}

async function runPair(
  stage: Stage,
  { fault, isSynchronous = false }: StandbyFault,
): Promise<void> {
  await using servers = new AsyncDisposableStack();
  const primary = await makeNode({ settings: REPLICATION });
  servers.defer(() => primary.remove());
  await primary.start();
  const standby = await primary.standby();
  servers.defer(() => standby.remove());
  if (isSynchronous) await replicateBeforeAnswers(primary);
  const source = servers.use(await TcpProxy.start(standby.port));
  await using deployment = await Deployment.create(stage, {
    storage: 'directory',
    node: primary,
    isLinked: true,
    sourcePort: source.port,
  });
  await deployment.start('serve');
  const api = await deployment.addMerchant('SHOP', ORDERS);
  const generations = new Generations(LOADED);
  const loading = new Loading(await deployment.addMerchant('LOADS', 0), generations);
  await loading.loadOnce(deployment);
  await deployment.start('work', { TILLROLL_WORKERS: '3' });
  const pair = { primary, standby, source, deployment, loading };
  await runRounds(stage, deployment, {
    api,
    fault: () => fault(stage, pair),
    // Each export of this merchant was created after a load, and before the next.
    findOthers: () => generations.files(loading.acknowledged),
  });
  await checkLeftovers(stage, deployment);
}

/** A commit is answered when the standby has it, so that nothing that was acknowledged is lost with the primary. */
async function replicateBeforeAnswers(primary: Node): Promise<void> {
  await primary.administer("ALTER SYSTEM SET synchronous_standby_names = '*'");
  await primary.administer('SELECT pg_reload_conf()');
}

async function promote(standby: Node): Promise<void> {
  await standby.administer('SELECT pg_promote()');
}
