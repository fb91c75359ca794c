import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startFakeServer, type FakeServer } from '../packages/client/test/fake-server/index.ts';
import { BIN, run, type Ended } from '../packages/cli/test/run.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const FROM = '2026-01-20';
const TO = '2026-02-20';

let server: FakeServer;
let directory: string;
beforeAll(async () => {
  const [from, to] = [Date.parse(FROM), Date.parse(TO)];
  server = await startFakeServer({ from, to, orders: 5000, payments: 45, ready: { polls: 0 } });
  directory = await mkdtemp(join(tmpdir(), 'tillroll-outputs-'));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const environment = () => ({
  TILLROLL_URL: server.url,
  TILLROLL_MERCHANT: server.merchant,
  TILLROLL_TOKEN: server.token,
});

const pull = (args: readonly string[]): Promise<Ended> =>
  run(['pull', ...args], { cwd: directory, env: environment() });

const SPAN = ['--from', FROM, '--to', TO];

const readMonths = async (folder: string): Promise<string> => {
  const names = (await readdir(join(directory, folder))).toSorted();
  const texts = names.map((name) => readFile(join(directory, folder, name), 'utf8'));
  return (await Promise.all(texts)).join('');
};

describe('standard output', () => {
  test('has the lines of a pull into a directory, and nothing else', async () => {
    const toDirectory = await pull([...SPAN, '--out', 'sales']);
    expect(toDirectory.code).toBe(0);
    for (const type of ['orders', 'payments']) {
      const { code, out, err } = await pull([...SPAN, '--types', type, '--out', '-']);
      expect({ code, err }).toEqual({
        code: 0,
        err: expect.stringMatching(
          type === 'orders'
            ? /^tillroll: complete: 5,000 orders, [\d.]+ MB\n$/
            : /^tillroll: complete: 45 payments, [\d.]+ kB\n$/,
        ) as string,
      });
      expect(out).toBe(await readMonths(`sales/${type}`));
    }
    expect((await readdir(directory)).toSorted()).toEqual(['sales']);
  });

  test('--quiet prints nothing else; an end in the future is cut', async () => {
    const args = ['--from', FROM, '--types', 'payments', '--out', '-'];
    const quiet = await pull([...args, '--quiet']);
    expect({ code: quiet.code, err: quiet.err }).toEqual({ code: 0, err: '' });
    const later = await pull([...args, '--to', '2999-01-01']);
    expect(later.err).toMatch(/^tillroll: warning: to is in the future.*\ntillroll: complete: 45 /);
    expect(later.out).toBe(quiet.out);
  });

  test('a reader that has read enough ends the command without a word', async () => {
    const command = spawn(
      'bash',
      [
        '-c',
        `set -o pipefail; "$0" "$@" | head -n 1`,
        process.execPath,
        BIN,
        'pull',
        ...SPAN,
        '--types',
        'orders',
        '--out',
        '-',
      ],
      { env: { PATH: process.env['PATH'], ...environment() }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let [out, err] = ['', ''];
    command.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    command.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    const code = await new Promise((resolve) => command.once('close', resolve));
    expect({ code, err }).toEqual({ code: 141, err: '' });
    expect(out.trimEnd().split('\n')).toHaveLength(1);
  });

  test('what cannot be written there is refused', async () => {
    const args = [...SPAN, '--out', '-'];
    for (const [more, message] of [
      [[], /--out - writes one type.*--types orders or --types payments/],
      [['--types', 'orders,payments'], /--out - writes one type/],
      [['--types', 'orders', '--format', 'csv'], /--out - writes JSON lines; for csv give a dir/],
      [['--types', 'orders', '--gzip', '--json'], /--gzip, --json: not with --out -/],
      [['--types', 'orders', '--dry-run'], /--dry-run: not with --out -/],
    ] as const) {
      const { code, out, err } = await pull([...args, ...more]);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(message);
      expect(err).toMatch(/^tillroll: [^\n]+\n$/);
    }
  });
});

test('a directory goes on under another name of its zone', async () => {
  const payments = ['--types', 'payments', '--out', 'india'];
  const first = await pull([...SPAN, ...payments, '--timezone', 'Asia/Calcutta']);
  expect(first.code).toBe(0);
  const before = await readMonths('india/payments');
  const again = await pull(['--since-last', '--out', 'india', '--timezone', 'asia/kolkata']);
  expect(again.code).toBe(0);
  expect(await readMonths('india/payments')).toBe(before);
  const other = await pull(['--since-last', '--out', 'india', '--timezone', 'Asia/Colombo']);
  expect(other).toMatchObject({ code: 2 });
  expect(other.err).toMatch(/--timezone must stay Asia\/\w+, which .*got Asia\/Colombo/);
});

describe('chosen columns', () => {
  test('stay those of the directory', async () => {
    const columns = 'payments.amount,payments.id';
    const first = ['--types', 'payments', '--format', 'csv', '--out', 'chosen'];
    const made = await pull([...SPAN, ...first, '--columns', columns, '--csv-bom']);
    expect(made.code).toBe(0);
    const before = await readMonths('chosen/payments');
    expect(before.match(/\uFEFFamount,id\r\n/g)).toHaveLength(2);
    const verified = await run(['verify', join(directory, 'chosen')]);
    expect(verified).toMatchObject({ code: 0 });
    const again = await pull(['--since-last', '--out', 'chosen']);
    expect(again.code).toBe(0);
    expect((await readMonths('chosen/payments')).startsWith(before)).toBe(true);
    const receipt = JSON.parse(await readFile(join(directory, 'chosen/receipt.json'), 'utf8')) as {
      columns: unknown;
    };
    expect(receipt.columns).toEqual(columns.split(','));
    const other = await pull(['--since-last', '--out', 'chosen', '--columns', 'payments.id']);
    expect(other).toMatchObject({ code: 2, out: '' });
    expect(other.err).toMatch(/--columns must stay payments.amount,payments.id, .*got payments.id/);
    const orders = await pull([...SPAN, '--out', 'chosen', '--types', 'orders']);
    expect(orders).toMatchObject({ code: 2, out: '' });
    expect(orders.err).toMatch(/--columns must name a column of orders, too/);
  });
});
