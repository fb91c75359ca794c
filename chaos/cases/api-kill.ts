import { setTimeout as delay } from 'node:timers/promises';
import type { Case, Stage } from '../case.ts';
import { ask, moveTo, sha256, type Api } from '../scene/api.ts';
import { checkExports, checkLeftovers, recover, type FindExpected } from '../scene/check.ts';
import { Deployment } from '../scene/deployment.ts';
import { createExport } from '../scene/exports.ts';
import { checkStored, Generations, Loading } from '../scene/generations.ts';
import { downloadPart } from '../scene/partial-download.ts';
import type { Role } from '../scene/role.ts';
import { readExpectedFiles, type ExpectedFiles } from '../scene/source.ts';
import { requireInTime } from '../scene/wait.ts';

const ORDERS = 10_000;
const ROWS = 5_000;
const MOMENT_MS = { from: 200, to: 1_200 };
const BETWEEN_CREATES_MS = 250;
const READY_S = 30;

/** SIGKILL an API process while it creates exports, loads and serves downloads; start it again. */
export const apiKill: Case = {
  name: 'api-kill',
  about:
    'SIGKILL an API process during creates, loads and downloads; downloads resume at another one',
  boundS: 30,
  runs: { long: 30, short: 2 },
  run,
};

/** The file that is downloaded all the time, and what it must be. */
interface Wanted {
  readonly urls: readonly string[];
  readonly expected: ExpectedFiles;
}

async function run(stage: Stage): Promise<void> {
  const { tally, runs, random, signal } = stage;
  await using deployment = await Deployment.create(stage, { storage: 'directory' });
  let victim = await deployment.start('serve');
  const other = await deployment.start('serve');
  const api = await deployment.addMerchant('SHOP', ORDERS);
  const loaded = await deployment.addMerchant('LOADS', 0);
  const generations = new Generations(ROWS);
  const loading = new Loading(loaded, generations);
  await loading.loadOnce(deployment);
  const expected = await readExpectedFiles(deployment, 'SHOP');
  const findExpected: FindExpected = (merchant, files, id) =>
    merchant === 'SHOP' ? expected : generations.findExpected(merchant, files, id);
  await deployment.start('work', { TILLROLL_WORKERS: '2' });
  const id = await createExport(deployment, api);
  await recover(stage, deployment, performance.now());
  const { exportUrls } = await api.read(other.url, id);
  const wanted = { urls: exportUrls?.elements.map(({ url }) => url) ?? [], expected };

  for (; tally.runs < runs; tally.runs++) {
    const over = new AbortController();
    loading.begin([victim.url]);
    const creating = createAll(deployment, api, victim, over.signal);
    const downloading = downloadAll(stage, wanted, victim, other, over.signal);
    await delay(random.between(MOMENT_MS.from, MOMENT_MS.to), undefined, { signal });
    await victim.kill();
    const killed = performance.now();
    over.abort();
    await Promise.all([loading.end(), creating, downloading]);
    victim = await deployment.start('serve', { PORT: new URL(victim.url).port });
    const url = victim.url;
    const isReady = async (): Promise<boolean> => (await ask(`${url}/ready`)).status === 200;
    await requireInTime('the API is ready again', isReady, READY_S, signal);
    await recover(stage, deployment, killed);
    const fault = await checkStored(deployment, 'LOADS', loading);
    if (fault !== null) tally.complain('lost', fault);
    await checkExports(stage, deployment, findExpected);
  }
  await checkLeftovers(stage, deployment);
}

/** Creates exports at one process. Of an answer that never came, nothing is known: the table is asked later. */
async function createAll(
  deployment: Deployment,
  api: Api,
  { url }: Role,
  over: AbortSignal,
): Promise<void> {
  while (!over.aborted) {
    const { id } = await api.create(url);
    if (id !== null) deployment.accepted.add(id);
    await delay(BETWEEN_CREATES_MS);
  }
}

/** Downloads files at one process; what breaks is resumed at another one. Each must be whole and right. */
async function downloadAll(
  { tally }: Stage,
  { urls, expected }: Wanted,
  victim: Role,
  other: Role,
  over: AbortSignal,
): Promise<void> {
  for (let n = 0; !over.aborted; n = (n + 1) % urls.length) {
    const url = urls[n] ?? '';
    const part = await downloadPart(moveTo(victim.url, url));
    const file = part?.isWhole ? part : await downloadPart(moveTo(other.url, url), part);
    if (!file?.isWhole) tally.complain('lost', `a download could not be resumed: ${url}`);
    else if (sha256(file.bytes) !== expected[n])
      tally.complain('wrong', `a download that was ${part?.isWhole ? 'whole' : 'resumed'}: ${url}`);
  }
}
