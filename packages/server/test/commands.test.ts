import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runProgram, type Ended } from './run-program.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const COMMANDS = [
  'all',
  'serve',
  'work',
  'migrate',
  'health',
  'install',
  'installs',
  'uninstall',
  'load',
  'seed',
  'exports',
  'status',
  'backup',
  'restore',
  'purge',
];

/** The working directory of the commands. It must stay empty: none of them gets far enough to write. */
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tillroll-commands-'));
});
afterAll(async () => {
  const left = await readdir(directory);
  await rm(directory, { recursive: true, force: true });
  expect(left).toEqual([]);
});

/** Nobody listens there: what gets past the checks fails at once, with exit code 1. */
const NO_DATABASE = 'postgres://127.0.0.1:1/none';

async function run(
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<Ended> {
  const ended = await runProgram(args, { DATABASE_URL: NO_DATABASE, ...environment }, directory);
  for (const text of [ended.out, ended.err]) {
    expect(text).not.toMatch(/^\s+at /m);
    expect(text).not.toContain('node:internal');
    expect(text).not.toContain('Warning');
  }
  return ended;
}

/** Exit 2, nothing on stdout, and one line on stderr. @returns the line */
async function refusal(
  args: readonly string[],
  environment?: Record<string, string>,
): Promise<string> {
  const { code, out, err } = await run(args, environment);
  expect({ args, code, out }).toEqual({ args, code: 2, out: '' });
  expect(err).toMatch(/^tillroll-server: [^\n]+\n$/);
  return err.trimEnd();
}

describe.concurrent('help', () => {
  test('no arguments: the usage on stderr, exit 2', async () => {
    const { code, out, err } = await run([]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^Usage: tillroll-server /);
    for (const command of COMMANDS) expect(err).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
  });

  test.for([['--help'], ['-h'], ['help']])('%s: on stdout, exit 0', async (args, { expect }) => {
    const { code, out, err } = await run(args);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^Usage: tillroll-server /);
    expect(out).toContain('TILLROLL_RETENTION');
  });

  test.for(COMMANDS)('%s --help: exit 0', async (command, { expect }) => {
    const { code, out, err } = await run([command, '--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(new RegExp(`^Usage: tillroll-server ${command} `));
  });

  test('help needs no sound environment', async () => {
    expect((await run(['serve', '--help'], { PORT: 'x' })).code).toBe(0);
  });
});

/** Commands that would be right but for the option that is appended. */
const RIGHT = {
  install: ['--merchant', 'M', '--app', 'A', '--permissions', 'ORDERS_R'],
  installs: [],
  uninstall: ['--merchant', 'M'],
  purge: ['--merchant', 'M'],
  load: ['/nowhere', '--merchant', 'M', '--type', 'ORDERS'],
  seed: ['--merchant', 'M', '--orders', '5', '--from', '2026-01-01', '--to', '2026-02-01'],
};

describe.concurrent('what is not understood', () => {
  test.for<[string[], string]>([
    [['nonsense'], "unknown command 'nonsense'"],
    // So close to a command that a suggestion is made: still one line.
    [['instal'], "unknown command 'instal'"],
    [['--nonsense'], "unknown option '--nonsense'"],
    [['serve', '--nonsense'], "unknown option '--nonsense'"],
    [['seed', ...RIGHT.seed, '--see', '5'], "unknown option '--see'"],
    [['all', 'more'], 'too many arguments'],
    [['load', 'a', 'b', '--merchant', 'M', '--type', 'ORDERS'], 'too many arguments'],
    [['install'], "'--merchant <id>' not specified"],
    [['install', '--merchant', 'M', '--permissions', 'ORDERS_R'], "'--app <id>' not specified"],
    [['install', '--merchant', 'M', '--app', 'A'], "'--permissions <list>' not specified"],
    [['install', '--merchant'], "'--merchant <id>' argument missing"],
    [['uninstall'], "'--merchant <id>' not specified"],
    [['purge'], "'--merchant <id>' not specified"],
    [['load', '--merchant', 'M', '--type', 'ORDERS'], "missing required argument 'file'"],
    [['load', 'f', '--merchant', 'M'], "'--type <type>' not specified"],
    [['cancel', 'X'], "unknown command 'cancel'"],
    [['exports', 'nonsense'], "unknown command 'nonsense'"],
    [['exports', 'show'], "missing required argument 'export'"],
    [['exports', 'retry'], "missing required argument 'export'"],
    [['exports', 'cancel'], "missing required argument 'export'"],
    [['exports', 'cancel', 'a', 'b'], 'too many arguments'],
    [['status', 'more'], 'too many arguments'],
    [['backup'], "missing required argument 'file'"],
    [['restore'], "missing required argument 'file'"],
    [['seed', '--merchant', 'M', '--orders', '1', '--from', '2026-01-01'], "'--to <iso>' not"],
  ])('%j', async ([args, reason], { expect }) => {
    expect(await refusal(args)).toContain(reason);
  });
});

describe.concurrent('a bad value is named with its option', () => {
  const cases: [keyof typeof RIGHT, string, string[]][] = [
    ['install', '--merchant', ['', 'a b', '../etc', 'é', 'x'.repeat(65), 'a\nb', "'; DROP"]],
    ['install', '--app', ['', 'a/b', 'x'.repeat(65), '😀']],
    ['installs', '--merchant', ['', 'a b']],
    ['uninstall', '--merchant', ['*']],
    ['uninstall', '--app', ['a b', '']],
    ['purge', '--merchant', ['', '%', 'a b']],
    ['load', '--merchant', ['a b']],
    ['load', '--type', ['', 'orders', 'ORDER', 'ORDERS,PAYMENTS']],
    ['install', '--permissions', ['', 'ORDERS', 'orders_r', 'ORDERS_R,', 'ORDERS_R;PAYMENTS_R']],
    ['seed', '--merchant', ['a b']],
    ['seed', '--orders', ['', '-1', '1.5', '1e3', 'many', '0x10', '100000000', ' 5']],
    [
      'seed',
      '--from',
      [
        '',
        'yesterday',
        '1767225600000',
        '2026-13-01',
        '2026-01-32',
        '2026-02-30',
        '2026-01-01T00:00',
      ],
    ],
    [
      'seed',
      '--to',
      ['', '2026-01', '01.02.2026', '2026-02-01 00:00', '2026-02-01T25:00Z', '1969-12-31'],
    ],
  ];
  const flat = cases.flatMap(([command, option, values]) =>
    values.map((value): [keyof typeof RIGHT, string, string] => [command, option, value]),
  );

  test.for(flat)('%s %s %j', async ([command, option, value], { expect }) => {
    const line = await refusal([command, ...RIGHT[command], option, value]);
    expect(line).toMatch(new RegExp(`^tillroll-server: ${option} must be `));
    const wrong = option === '--permissions' ? (value.split(',').at(-1) ?? '') : value;
    expect(line).toContain(`got ${JSON.stringify(wrong)}`);
  });

  test.for([
    ['--merchant', 'a b'],
    ['--app', ''],
    ['--status', 'done'],
    ['--status', ''],
    ['--limit', '0'],
    ['--limit', '1.5'],
    ['--limit', '100001'],
  ])('exports list %s %j', async ([option = '', value = ''], { expect }) => {
    const line = await refusal(['exports', 'list', option, value]);
    expect(line).toMatch(new RegExp(`^tillroll-server: ${option} must be `));
    expect(line).toContain(`got ${JSON.stringify(value)}`);
  });

  test.for([
    ['2026-02-01', '2026-02-01'],
    ['2026-02-01', '2026-01-01'],
    ['2026-02-01T00:00:00+02:00', '2026-01-31T22:00:00Z'],
  ])('seed --from %s --to %s', async ([from = '', to = ''], { expect }) => {
    const line = await refusal(['seed', ...RIGHT.seed, '--from', from, '--to', to]);
    expect(line).toBe(`tillroll-server: --to must be later than --from; got ${from} to ${to}`);
  });

  test('a very long value does not fill the terminal', async () => {
    const line = await refusal(['purge', '--merchant', 'x'.repeat(10_000)]);
    expect(line.length).toBeLessThan(300);
  });

  test.for(Object.keys(RIGHT) as (keyof typeof RIGHT)[])(
    '%s with right values gets as far as the database, and says so in one line',
    async (command, { expect }) => {
      const { code, out, err } = await run([command, ...RIGHT[command]]);
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(err).toMatch(/^tillroll-server: [^\n]*ECONNREFUSED[^\n]*\n$/);
    },
  );

  test('status says on its screen that the database cannot be used', async ({ expect }) => {
    const { code, out, err } = await run(['status']);
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(out).toMatch(/^- the database cannot be used: .*ECONNREFUSED/m);
  });
});

describe.concurrent('a bad environment', () => {
  const bad = {
    DATABASE_URL: 'mysql://user:hunter2@host/db',
    HOST: '0.0.0.0',
    PORT: '99999',
    TILLROLL_REGION: 'mars',
    TILLROLL_RETENTION: 'long',
    TILLROLL_SIGNING_KEY: 'hunter2',
    TILLROLL_LOG_LEVEL: 'loud\nand clear',
  };
  const calls: Record<string, string[]> = { all: [], serve: [], work: [], migrate: [], ...RIGHT };

  test.for(Object.keys(calls))(
    '%s names every fault, one a line, exit 2',
    async (command, { expect }) => {
      const { code, out, err } = await run([command, ...(calls[command] ?? [])], bad);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      const names = err
        .trimEnd()
        .split('\n')
        .map((line) => /^tillroll-server: ([A-Z_]+): \S/.exec(line)?.[1] ?? line);
      expect(names.toSorted()).toEqual([
        'DATABASE_URL',
        'PORT',
        'TILLROLL_LOG_LEVEL',
        'TILLROLL_PUBLIC_URL',
        'TILLROLL_REGION',
        'TILLROLL_RETENTION',
        'TILLROLL_SIGNING_KEY',
      ]);
      expect(err).not.toContain('hunter2');
    },
  );

  test('a mistake in the call is said before one in the environment', async () => {
    expect(await refusal(['purge', '--merchant', 'a b'], bad)).toContain('--merchant must be');
  });
});
