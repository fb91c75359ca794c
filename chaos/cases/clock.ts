import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Case, Stage, StorageKind } from '../case.ts';
import { Clock } from '../faults/clock.ts';
import { ask, moveTo, type Api } from '../scene/api.ts';
import { checkExports, checkLeftovers, recover } from '../scene/check.ts';
import { Deployment } from '../scene/deployment.ts';
import { createExport, waitForStart } from '../scene/exports.ts';
import { findCephObstacle, findClockObstacle } from '../scene/obstacles.ts';
import type { Role } from '../scene/role.ts';
import { readExpectedFiles } from '../scene/source.ts';
import { waitFor } from '../scene/wait.ts';

const ORDERS = 20_000;
const HOUR_S = 3_600;
const RETENTION_S = 25;
/** Time after `availableUntil` in which the last file must be refused. */
const EXPIRY_S = 10;
/** The hours are open from so many minutes before now to as many after: a clock that is off by an hour finds them closed. */
const OPEN_MINUTES = 40;

/** The wall clock of one process jumps an hour, forwards or back; everything that PostgreSQL's clock rules stays right. */
export function clock(storage: StorageKind): Case {
  return {
    name: storage === 's3' ? 'clock-s3' : 'clock',
    about: `one process's clock jumps an hour: hours, retention and file URLs${storage === 's3' ? ', presigned ones among them,' : ''} stay right`,
    boundS: 30,
    runs: { long: 5, short: storage === 's3' ? 0 : 1 },
    findObstacle: () => findClockObstacle() ?? (storage === 's3' ? findCephObstacle() : null),
    run: (stage) => run(stage, storage),
  };
}

async function run(stage: Stage, storage: StorageKind): Promise<void> {
  const { tally, runs, random } = stage;
  await using deployment = await Deployment.create(stage, {
    storage,
    settings: {
      TILLROLL_RETENTION: `${RETENTION_S}s`,
      TILLROLL_HOURS: `daily ${timeOfDay(-OPEN_MINUTES)}-${timeOfDay(OPEN_MINUTES)}`,
      ...(storage === 's3' && { TILLROLL_S3_REDIRECT: 'true' }),
    },
  });
  const [apiClock, workerClock] = await Promise.all(
    ['api', 'worker'].map((name) => Clock.create(join(deployment.directory, `clock-${name}`))),
  );
  if (!apiClock || !workerClock) throw new Error('there is no clock');
  const right = await deployment.start('serve');
  const off = await deployment.start('serve', apiClock.environment);
  await deployment.start('work', workerClock.environment);
  const api = await deployment.addMerchant('SHOP', ORDERS);
  const expected = await readExpectedFiles(deployment, 'SHOP');
  for (; tally.runs < runs; tally.runs++) {
    const jumping = tally.runs % 2 === 0 ? apiClock : workerClock;
    const id = await createExport(deployment, api);
    await waitForStart(stage, deployment, id);
    await jumping.jumpTo(random.next() < 0.5 ? HOUR_S : -HOUR_S);
    await recover(stage, deployment, performance.now());
    await checkHours(stage, deployment, api, off);
    // Files are downloaded from the process that was started last, whose clock may be off.
    await recover(stage, deployment, performance.now());
    await checkExports(stage, deployment, () => expected);
    const [fileUrl = ''] =
      (await api.read(off.url, id)).exportUrls?.elements.map(({ url }) => url) ?? [];
    if (storage === 's3') await checkPresigned(stage, off, fileUrl);
    await checkExpiry(stage, deployment, id, [right, off], fileUrl);
    await jumping.jumpTo(0);
  }
  await checkLeftovers(stage, deployment);
}

function timeOfDay(minutesFromNow: number): string {
  return new Date(Date.now() + minutesFromNow * 60_000).toISOString().slice(11, 16);
}

/** Checks that the hours are open for a process whose clock may say otherwise. */
async function checkHours({ tally }: Stage, deployment: Deployment, api: Api, off: Role) {
  const { body } = await ask(`${off.url}/v3/availability`);
  if (!(JSON.parse(body.toString()) as { open: boolean }).open)
    tally.complain('wrong', 'a process whose clock jumped says that the hours are closed');
  const { status, id } = await api.create(off.url);
  if (id === null)
    tally.complain('wrong', `a process whose clock jumped answers a create with ${status}`);
  else deployment.accepted.add(id);
}

/** Checks that a presigned URL is accepted by the S3 server, whose clock is right. */
async function checkPresigned({ tally }: Stage, off: Role, fileUrl: string): Promise<void> {
  const url = moveTo(off.url, fileUrl);
  const redirected = await fetch(url, { redirect: 'manual' });
  await redirected.body?.cancel();
  const location = redirected.headers.get('location');
  if (redirected.status !== 302 || location === null) {
    tally.complain('wrong', `a download is answered ${redirected.status}, without a redirect`);
    return;
  }
  const { status } = await ask(location);
  if (status !== 200) tally.complain('wrong', `a presigned URL is answered ${status}`);
}

/** Checks that files can be downloaded until `availableUntil`, by the true time, and not later. */
async function checkExpiry(
  { tally, signal }: Stage,
  deployment: Deployment,
  id: string,
  roles: readonly Role[],
  fileUrl: string,
): Promise<void> {
  const [row] = await deployment.query<{ until: string; ended: string }>(
    'SELECT available_until AS until, modified_time AS ended FROM tillroll.exports WHERE id = $1',
    [id],
  );
  const until = Number(row?.until);
  tally.measure(
    'retention s',
    (until - Number(row?.ended)) / 1000,
    RETENTION_S - 0.1,
    RETENTION_S + 0.1,
  );
  const read = (): Promise<number[]> =>
    Promise.all(roles.map(async ({ url }) => (await ask(moveTo(url, fileUrl))).status));
  // A little before the end: the request has its way to go, too.
  while (Date.now() < until - 2_000) {
    const statuses = await read();
    if (statuses.some((status) => status !== 200) && Date.now() < until)
      tally.complain('wrong', `a file that is available is answered ${statuses.join(', ')}`);
    await delay(1_000, undefined, { signal });
  }
  await delay(Math.max(0, until - Date.now()));
  const areGone = async (): Promise<boolean> => (await read()).every((status) => status === 410);
  if ((await waitFor(areGone, EXPIRY_S, signal)) === null)
    tally.complain('wrong', `a file is served ${EXPIRY_S} s after the end of its retention`);
}
