import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startServer, type FakeServer } from './fake-server.ts';
import { BIN, run, TOKEN, type Ended } from './run.ts';

vi.setConfig({ testTimeout: 60_000 });

let out: string;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tillroll-exit-'));
  out = join(directory, 'sales');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function environment({ url }: Pick<FakeServer, 'url'>): Record<string, string> {
  return { TILLROLL_URL: url, TILLROLL_MERCHANT: 'SHOP', TILLROLL_TOKEN: TOKEN };
}

const pull = () => ['pull', '--from', '2026-01-01', '--to', '2026-01-31', '--out', out];

/** Starts a command, sends a signal once stderr or stdout says `when`, and waits for its end. */
async function interrupted(
  args: readonly string[],
  env: Record<string, string>,
  when: RegExp,
  signal: NodeJS.Signals,
): Promise<Ended> {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { out: '', err: '' };
  const hear = (text: string, where: 'out' | 'err') => {
    const before = when.test(said.out + said.err);
    said[where] += text;
    if (!before && when.test(said.out + said.err)) child.kill(signal);
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => hear(text, 'out'));
  child.stderr.setEncoding('utf8').on('data', (text: string) => hear(text, 'err'));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, ...said };
}

test('--dry-run says what would be fetched, and makes nothing', async () => {
  await using server = await startServer({ open: true, finishes: true });
  const env = environment(server);
  const plan = await run([...pull(), '--dry-run'], { env });
  expect(plan).toMatchObject({ code: 0, err: '' });
  const halves =
    'export 2026-01-01T00:00:00Z to 2026-01-16T00:00:00Z, export 2026-01-16T00:00:00Z to 2026-01-31T00:00:00Z';
  expect(plan.out.split('\n')).toEqual([
    `${out}: jsonl, 2026-01-01T00:00:00Z <= createdTime < 2026-01-31T00:00:00Z, months of UTC`,
    `  orders/2026-01.jsonl    ${halves}`,
    `  payments/2026-01.jsonl  ${halves}`,
    '4 exports to create, 2 of 2 months to fetch. Nothing was changed.',
    '',
  ]);
  expect(existsSync(out)).toBe(false);
  const json = await run([...pull(), '--dry-run', '--json'], { env });
  expect((JSON.parse(json.out) as { months: unknown[] }).months).toHaveLength(2);
});

test('--verbose tells of each request, and of no key', async () => {
  await using server = await startServer({ open: true, finishes: true });
  const { err, code } = await run([...pull(), '--verbose', '--quiet'], {
    env: environment(server),
  });
  expect(code).toBe(0);
  const exportsUrl = `${server.url}/v3/merchants/SHOP/exports`;
  expect(err).toMatch(new RegExp(`^tillroll: POST ${exportsUrl} 200 \\d+ ms$`, 'm'));
  expect(err).toMatch(new RegExp(`^tillroll: GET ${exportsUrl}/\\w+ 200 \\d+ ms$`, 'm'));
  expect(err).not.toContain(TOKEN);
  expect(err).not.toContain('?');
});

test('0: all is there, and again when it was there already', async () => {
  await using server = await startServer({ open: true, finishes: true });
  const env = environment(server);
  const first = await run(pull(), { env });
  expect(first).toMatchObject({ code: 0, out: '' });
  expect(first.err).toContain(`${out}: complete`);
  expect(first.err).toContain(
    'orders    2026-01-01T00:00:00Z <= createdTime < 2026-01-31T00:00:00Z',
  );

  const quiet = await run([...pull(), '--quiet'], { env });
  expect(quiet).toEqual({ code: 0, out: '', err: '' });

  const sound = await run(['verify', out]);
  expect(sound).toMatchObject({ code: 0 });
  expect(sound.out).toContain(`${out}: complete and unaltered`);
});

test('--json: events on stdout, the last of them the result', async () => {
  await using server = await startServer({ open: true, finishes: true });
  const { code, out: text, err } = await run([...pull(), '--json'], { env: environment(server) });
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const events = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; at: number });
  expect(events[0]?.event).toBe('plan');
  expect(events.at(-1)).toMatchObject({ event: 'result', complete: true, exitCode: 0, out });
  for (const { at } of events) expect(Date.now() - at).toBeLessThan(60_000);
});

test('1: nobody answers', async () => {
  const env = environment({ url: 'http://127.0.0.1:9' });
  const show = await run(['exports', 'show', 'X'], { env });
  expect(show).toMatchObject({ code: 1, out: '' });
  expect(show.err).toMatch(/^tillroll: [^\n]+\n$/);

  const events = await run([...pull(), '--json'], { env });
  expect(events.code).toBe(1);
  expect(JSON.parse(events.out.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
    event: 'error',
    code: 'NETWORK',
  });
});

test('1: a directory that was altered', async () => {
  await using server = await startServer({ open: true, finishes: true });
  await run(pull(), { env: environment(server) });
  for (const name of await readdir(join(out, 'orders')))
    await writeFile(join(out, 'orders', name), '{"id":"X"}\n');
  const faulty = await run(['verify', out]);
  expect(faulty.code).toBe(1);
  expect(faulty.out).toMatch(/^orders\/\S+: /);
});

test.skipIf(!existsSync('/dev/full'))('1: stdout cannot be written', async () => {
  await using server = await startServer({ open: true, finishes: true });
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [BIN, 'hours', '--url', server.url], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent' },
    stdio: ['ignore', full, 'pipe'],
  });
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  closeSync(full);
  expect(code).toBe(1);
  expect(err).toMatch(/^tillroll: cannot write to standard output: ENOSPC[^\n]*\n$/);
});

test('75: closed, and not told to wait', async () => {
  await using server = await startServer({ open: false, finishes: true });
  const env = environment(server);
  for (const args of [
    [...pull(), '--no-wait'],
    [
      'exports',
      'create',
      '--type',
      'orders',
      '--from',
      '2026-01-01',
      '--to',
      '2026-01-31',
      '--no-wait',
    ],
  ]) {
    const ended = await run(args, { env });
    expect(ended).toMatchObject({ code: 75, out: '' });
  }
  const hours = await run(['hours'], { env: { TILLROLL_URL: server.url } });
  expect(hours.code).toBe(75);
  expect(hours.out).toMatch(/^closed, opens at .* \(in 3 h 12 min\); open daily\n$/);
});

test('hours needs no token and sends none', async () => {
  await using server = await startServer({ open: true, finishes: true });
  const hours = await run(['hours', '--json'], { env: environment(server) });
  expect(hours.code).toBe(0);
  expect(JSON.parse(hours.out)).toMatchObject({ open: true, hours: 'daily' });
  expect(server.asked.authorized).toEqual([]);
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '130: %s in the middle, and what to do next is said last',
  async (signal) => {
    await using server = await startServer({ open: true, finishes: false });
    const { code, err } = await interrupted(pull(), environment(server), /exporting/, signal);
    expect(code).toBe(130);
    expect(err).toMatch(/tillroll: interrupted\. Run the same command again to continue\n$/);
    expect(err).not.toContain('failed');
  },
);

test('130: also while it waits for the service to open', async () => {
  await using server = await startServer({ open: false, finishes: false });
  const { code, err } = await interrupted(pull(), environment(server), /closed until/, 'SIGINT');
  expect(code).toBe(130);
  expect(err).toMatch(/closed until .* \(in 3 h 12 min\)/);
});

test('exports print what they were asked for, alone', async () => {
  await using server = await startServer({ open: true, finishes: true });
  const env = environment(server);
  const create = ['exports', 'create', '--type', 'orders', '--from', '2026-01-01'];
  const created = await run([...create, '--to', '2026-01-31'], { env });
  expect(created).toMatchObject({ code: 0, err: '' });
  const { id } = JSON.parse(created.out) as { id: string };
  for (const step of ['show', 'wait']) {
    const { code, out: text } = await run(['exports', step, id], { env });
    expect(code).toBe(0);
    expect(JSON.parse(text)).toMatchObject({ id, status: 'DONE' });
  }
  const downloaded = await run(['exports', 'download', id, '--out', out, '--json'], { env });
  expect(downloaded.code).toBe(0);
  expect(JSON.parse(downloaded.out)).toMatchObject({ objects: 0 });
});

test('the token is in nothing that a pull leaves behind', async () => {
  await using server = await startServer({ open: true, finishes: true });
  await run(pull(), { env: environment(server) });
  const names = await readdir(out, { recursive: true, withFileTypes: true });
  for (const entry of names.filter((each) => each.isFile()))
    expect(await readFile(join(entry.parentPath, entry.name), 'utf8')).not.toContain(TOKEN);
});

test('a reader of stdout that goes away is not an error to be told', async () => {
  await using server = await startServer({ open: true, finishes: false });
  const child = spawn(process.execPath, [BIN, ...pull(), '--json'], {
    env: { PATH: process.env['PATH'], ...environment(server) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdout.once('data', () => child.stdout.destroy());
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  expect({ code, err }).toEqual({ code: 141, err: '' });
});
