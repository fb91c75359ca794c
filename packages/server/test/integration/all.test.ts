/** `all`: an API, and its worker as a child process. */
import net from 'node:net';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { SCHEMA_VERSION } from '../../src/database/migrations.ts';
import { Api, download, parseIds } from './api.ts';
import { createAndReachHalf, holdHalfWay, type HeldSource } from './held-source.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { endChildren, isRunning, startChild, type Child } from './process.ts';
import { until } from './until.ts';

const ORDERS = 12_000;
/** By then a worker that lost its parent is gone. */
const ORPHAN_MS = 5_000;
const ENDED = 'the worker process ended and is started again';

let place: Place;
let source: HeldSource;
let child: Child;
let api: Api;

beforeEach(async () => {
  place = await makePlace();
  await place.seed('M1', ORDERS);
  source = await holdHalfWay(place);
  const environment = place.environment({ TILLROLL_METRICS_PORT: '0' });
  child = await startChild('all', environment, { detached: true });
  api = new Api(child.url, 'M1', await place.install('M1'));
});

afterEach(async () => {
  await source.release();
  await endChildren();
  await place.remove();
});

afterAll(endChildren);

interface Line {
  pid: number;
  msg: string;
  error?: string;
  url?: string;
}

function findLines(message: string): Line[] {
  return child
    .log()
    .split('\n')
    .filter((line) => line.includes(`"msg":${JSON.stringify(message)}`))
    .map((line) => JSON.parse(line) as Line);
}

/** The process of the newest worker that was ready. */
function findWorker(): number {
  return findLines('worker ready').at(-1)?.pid ?? 0;
}

async function readReady(): Promise<number> {
  return (await fetch(`${child.url}/ready`)).status;
}

test('exports run in a process of their own, which stops with the API', async () => {
  const worker = findWorker();
  expect(worker).not.toBe(child.pid);
  await source.release();
  const done = await api.export(FROM, TO);
  expect(new Set(parseIds(await download(done))).size).toBe(ORDERS);
  expect(findLines('export done').map(({ pid }) => pid)).toEqual([worker]);

  child.kill('SIGTERM');
  expect(await child.exited).toBe(0);
  expect(isRunning(worker)).toBe(false);
  expect(findLines('stopped').map(({ pid }) => pid)).toEqual([worker, child.pid]);
  expect(child.log()).not.toMatch(/"level":"(warn|error)"/);
});

test('a worker that is killed is started again; one line says why, and the export ends', async () => {
  const first = findWorker();
  const id = await createAndReachHalf(place, api);
  process.kill(first, 'SIGKILL');
  await source.release();
  await until('the next worker', () => findWorker() !== first);
  expect(await readReady()).toBe(200);
  expect(await api.ended(id, 30_000)).toMatchObject({ status: 'DONE' });
  expect(await place.row(id)).toMatchObject({ attempt: 2, errors: 0, interruptions: 1 });
  expect(findLines(ENDED)).toMatchObject([{ pid: child.pid, error: 'killed by SIGKILL' }]);
  child.kill('SIGTERM');
  expect(await child.exited).toBe(0);
});

test('a worker that cannot start is tried again with pauses, its reason is one line', async () => {
  const newer = SCHEMA_VERSION + 1;
  const first = findWorker();
  await place.pool.query(
    `INSERT INTO tillroll.schema_version (version) VALUES (${newer});
     UPDATE tillroll.schema_compatibility SET lowest_version = ${newer}`,
  );
  process.kill(first, 'SIGKILL');
  const failed = (): Line[] =>
    findLines(ENDED).filter(({ error }) => error?.includes('made by a newer Tillroll'));
  await until('it failed', () => failed().length > 0);
  const starts = child.logged('database');
  await until('it was tried again', () => child.logged('database') >= starts + 2);
  expect(failed()).toMatchObject([{ error: expect.stringMatching(/^the schema is at version/) }]);
  expect(
    child
      .log()
      .split('\n')
      .filter((line) => line.startsWith('tillroll-server')),
  ).toEqual([]);

  await place.pool.query(
    `DELETE FROM tillroll.schema_version WHERE version = ${newer};
     UPDATE tillroll.schema_compatibility SET lowest_version = ${SCHEMA_VERSION}`,
  );
  await until('the next worker', () => findWorker() !== first);
  await source.release();
  expect(await api.export(FROM, TO)).toMatchObject({ status: 'DONE' });
});

test('the worker of a killed process gives its exports back and ends', async () => {
  const worker = findWorker();
  const id = await createAndReachHalf(place, api);
  const killed = performance.now();
  child.kill('SIGKILL');
  await until('the worker is gone', () => !isRunning(worker), { timeoutMs: ORPHAN_MS });
  expect(await child.exited).toBe('SIGKILL');
  expect(performance.now() - killed).toBeLessThan(ORPHAN_MS);
  // Released, not lost: the next worker need not wait for a heartbeat.
  expect(await place.row(id)).toMatchObject({ status: 'PENDING', errors: 0, interruptions: 1 });
  expect(await place.files()).toEqual([]);
});

/** Interrupts every process of the group, as a terminal does for Ctrl-C. */
function interruptGroup(): void {
  process.kill(-child.pid, 'SIGINT');
}

test('Ctrl-C reaches both processes, and both stop in order', async () => {
  const worker = findWorker();
  const id = await createAndReachHalf(place, api);
  interruptGroup();
  await until('both stop', () => findLines('stopping').length === 2);
  await source.release();
  expect(await child.exited).toBe(0);
  expect(isRunning(worker)).toBe(false);
  expect(await place.row(id)).toMatchObject({ status: 'DONE', attempt: 1, interruptions: 0 });
  expect(child.log()).not.toMatch(/"level":"(warn|error)"/);
});

test('a second Ctrl-C ends both at once', async () => {
  const worker = findWorker();
  await createAndReachHalf(place, api);
  interruptGroup();
  await until('both stop', () => findLines('stopping').length === 2);
  const second = performance.now();
  interruptGroup();
  expect(await child.exited).toBe(130);
  await until('the worker is gone', () => !isRunning(worker), { timeoutMs: 2_000 });
  expect(performance.now() - second).toBeLessThan(2_000);
});

test('the worker drains for as long as the API does', async () => {
  const id = await createAndReachHalf(place, api);
  // A worker that is told to stop by itself drains, too, and is replaced.
  const first = findWorker();
  process.kill(first, 'SIGTERM');
  await until('it has heard', () => findLines('stopping').length === 1);
  process.kill(first, 'SIGTERM');
  await source.release();
  await until('the next worker', () => findWorker() !== first);
  expect(await place.row(id)).toMatchObject({ status: 'DONE', attempt: 1, interruptions: 0 });
  expect(findLines(ENDED)).toMatchObject([{ error: 'exit code 0' }]);
});

test('/ready turns false before anything is drained', async () => {
  await createAndReachHalf(place, api);
  const { port } = new URL(child.url);
  const socket = net.connect(Number(port), '127.0.0.1').setEncoding('utf8');
  let answer = '';
  socket.on('data', (text: string) => (answer += text));
  // A request that began before the signal is answered after it.
  socket.write('GET /ready HTTP/1.1\r\nhost: x\r\n');
  await until('the request has arrived', async () => (await readReady()) === 200);
  child.kill('SIGTERM');
  await until('it has heard', () => findLines('stopping').length === 2);
  socket.write('\r\n');
  await until('the answer', () => answer.includes('\r\n\r\n'));
  expect(answer).toMatch(/^HTTP\/1\.1 503 /);
  await expect(fetch(`${child.url}/health`)).rejects.toThrow();
  const metrics = findLines('metrics')[0]?.url ?? '';
  expect((await fetch(`${metrics}/health`)).status).toBe(200);
  expect((await fetch(`${metrics}/ready`)).status).toBe(503);
  await source.release();
  expect(await child.exited).toBe(0);
  socket.destroy();
});
