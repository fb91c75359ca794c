import { FORMATS } from '@tillroll/client/files';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { FORMAT_NAMES } from '../src/commands/pull.ts';
import { withoutValues } from '../src/program.ts';
import { NOWHERE, refusal, run, TOKEN } from './run.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const COMMANDS = [
  ['pull'],
  ['exports', 'create'],
  ['exports', 'show'],
  ['exports', 'wait'],
  ['exports', 'download'],
  ['exports', 'delete'],
  ['exports', 'list'],
  ['hours'],
  ['doctor'],
  ['verify'],
  ['profile', 'add'],
  ['profile', 'list'],
  ['profile', 'remove'],
];
const CONNECTION = ['--url', NOWHERE, '--merchant', 'SHOP'];
const env = { TILLROLL_TOKEN: TOKEN };
const SPAN = ['--from', '2026-01-01', '--to', '2026-01-31'];

/** The working directory of the commands. It must stay empty: none of them gets far enough to write. */
let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'tillroll-cli-'));
});
afterAll(async () => {
  const left = await readdir(cwd);
  await rm(cwd, { recursive: true, force: true });
  expect(left).toEqual([]);
});

test('the formats are the ones that the library knows', () => {
  expect(FORMAT_NAMES).toEqual(FORMATS);
});

describe('help', () => {
  test.concurrent.each(COMMANDS)('%s %s', async (...command) => {
    const { code, out, err } = await run([...command.filter(Boolean), '--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`Usage: tillroll ${command.filter(Boolean).join(' ')}`);
    expect(out).toMatch(/Examples?:\n {2}\$ tillroll /);
  });

  test('the whole names every command', async () => {
    const { code, out } = await run(['--help']);
    expect(code).toBe(0);
    for (const [name] of COMMANDS) expect(out).toMatch(new RegExp(`^ {2}${name} `, 'm'));
  });

  test('no command prints help on stderr and is a mistake', async () => {
    for (const args of [[], ['exports'], ['profile']]) {
      const { code, out, err } = await run(args);
      expect({ args, code, out }).toEqual({ args, code: 2, out: '' });
      expect(err).toContain('Usage: tillroll');
    }
  });

  test('the version is the package’s', async () => {
    const { code, out } = await run(['--version']);
    expect(code).toBe(0);
    expect(out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('mistakes are one line and exit 2', () => {
  const pull = ['pull', ...SPAN, '--out', 'x', ...CONNECTION];
  const create = ['exports', 'create', ...SPAN, ...CONNECTION];
  test.concurrent.each([
    [['pulls'], /unknown command 'pulls'.*Did you mean pull/],
    [[...pull, '--form', 'x'], /unknown option '--form'/],
    [['pull'], /missing: --from .*--since-last.*, --out/],
    [['pull', '--since-last'], /missing: --out/],
    [['pull', ...SPAN, '--out', 'x'], /missing: .*--url.*--region.*--merchant/],
    [[...pull, '--region', 'us'], /--url and --region both give the URL/],
    [[...pull, '--region', 'mars'], /'mars' is invalid.*us, eu, la, sandbox/],
    [[...pull, '--profile', 'x'], /there is no profile "x"/],
    [
      [...pull, '--types', 'orders,refunds'],
      /each of --types must be orders or payments.*"refunds"/,
    ],
    [[...pull, '--format', 'xml'], /'xml' is invalid.*jsonl, csv, parquet, duckdb/],
    [
      [...pull, '--columns', 'id'],
      /^tillroll: --columns is for the formats csv and parquet.*jsonl/,
    ],
    [
      [...pull, '--format', 'csv', '--columns', 'createdTime'],
      /^tillroll: --columns must name columns; got "createdTime".*Write created_time/,
    ],
    [
      [...pull, '--format', 'csv', '--columns', 'orders.id'],
      /^tillroll: --columns must name a column of payments, too; got orders.id/,
    ],
    [[...pull, '--format', 'parquet', '--csv-bom'], /^tillroll: --csv-bom is for the format csv/],
    [[...pull, '--gzip', 'false'], /too many arguments.*A switch such as --gzip takes no value/],
    [[...pull, '--overlap', '7d'], /--overlap needs --since-last/],
    [
      ['pull', '--since-last', '--out', 'x', ...CONNECTION, '--overlap', '7 days'],
      /--overlap must be a duration/,
    ],
    [[...pull, '--timeout', '30d'], /--timeout must be a duration .*at most 24d/],
    [[...pull, '--concurrency', '0'], /--concurrency must be a whole number from 1; got "0"/],
    [[...pull, '--parallel', 'many'], /--parallel must be a whole number from 1; got "many"/],
    [[...pull, '--concurrency', '999'], /^tillroll: --concurrency must be .*; got 999$/],
    [[...pull, '--parallel', '999'], /^tillroll: --parallel must be .*; got 999$/],
    [[...pull, '--file-mode', '888'], /--file-mode must be permissions of three octal digits/],
    [[...pull, '--file-mode', '440'], /^tillroll: --file-mode must be permissions/],
    [[...pull, '--since-last'], /--from and --since-last exclude each other/],
    [[...pull, '--url', 'ftp://x'], /^tillroll: the URL must be an http or https address/],
    [[...pull, '--json', '--quiet'], /--json and --quiet exclude each other/],
    [[...pull, '--timezone', 'Mars/Olympus'], /^tillroll: --timezone .*Mars\/Olympus/],
    [
      ['pull', '--from', '2026-02-30', '--out', 'x', ...CONNECTION],
      /^tillroll: --from must be .*2026-02-30/,
    ],
    [[...create, '--type', 'refunds'], /--type must be orders or payments/],
    [['exports', 'create', '--type', 'orders', ...CONNECTION], /required option '--from <when>'/],
    [['exports', 'show', ...CONNECTION], /missing required argument 'id'/],
    [['exports', 'list', '--limit', '0', ...CONNECTION], /--limit must be/],
    [['hours'], /missing: .*--url.*--region/],
    [['verify'], /missing required argument 'dir'/],
    [['profile', 'add', 'a b', '--merchant', 'M', '--region', 'us'], /a profile's name is/],
    [['profile', 'add', 'a', '--merchant', 'M'], /missing: --url/],
    [['profile', 'remove', 'x'], /there is no profile "x"/],
  ])('tillroll %j', async (args, message) => {
    expect(await refusal(args, { cwd, env })).toMatch(message);
  });

  test('a token is given in no error, wherever it is written', async () => {
    const wrong = [
      ['pull', `--tokn=${TOKEN}`],
      ['profile', 'add', 'a', '--merchant', 'M', '--region', 'us', TOKEN],
      ['hours', ...CONNECTION, `--tokn=${TOKEN}`],
    ];
    for (const args of wrong) await refusal(args, { cwd });
    const broken = { TILLROLL_TOKEN: `${TOKEN}\nsecond line` };
    expect(await refusal(['exports', 'list', ...CONNECTION], { cwd, env: broken })).toMatch(
      /token/,
    );
  });

  test('--token works and warns', async () => {
    const { code, err } = await run(['exports', 'list', ...CONNECTION, '--token', `${TOKEN} x`]);
    expect(code).toBe(2);
    expect(err).toMatch(/^tillroll: warning: --token is visible to other users in ps/);
  });
});

test('commander’s errors are shown without a value', () => {
  expect(withoutValues("error: unknown option '--tokn=a'b=c'\n(Did you mean --token?)")).toBe(
    "unknown option '--tokn'\n(Did you mean --token?)",
  );
  expect(
    withoutValues("error: too many arguments for 'add'. Expected 1 argument but got 2: a, b\nc."),
  ).toBe("too many arguments for 'add'. Expected 1 argument but got 2");
});
