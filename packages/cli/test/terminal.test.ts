import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startServer, type FakeServer } from './fake-server.ts';
import { TOKEN } from './run.ts';
import { TerminalRun } from './terminal.ts';

vi.setConfig({ testTimeout: 60_000 });

const hasPython = spawnSync('python3', ['--version']).status === 0;
const UTF8 = { LANG: 'C.UTF-8' };
const WIDTHS = [20, 79, 200];

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tillroll-terminal-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const pull = () =>
  [
    'pull',
    '--from',
    '2026-01-01',
    '--to',
    '2026-04-01',
    '--out',
    join(directory, 'sales'),
  ] as const;

function connection({ url }: FakeServer): Record<string, string> {
  return { ...UTF8, TILLROLL_URL: url, TILLROLL_MERCHANT: 'SHOP', TILLROLL_TOKEN: TOKEN };
}

const isExporting = ({ lines }: { lines: string[] }) =>
  lines.some((line) => /orders\/2026-01.*exporting/.test(line));

describe.skipIf(!hasPython)('on a terminal', () => {
  test('progress is drawn in place, and Ctrl-C leaves the last words and the cursor', async () => {
    await using server = await startServer({ open: true, finishes: false });
    await using run = new TerminalRun(pull(), { env: connection(server) });
    await run.until(isExporting);
    const frame = run.screen.lines;
    // One of the month's two exports is at 10 %, the other one waits for its turn.
    expect(frame[0]).toMatch(/^█*░+ +\d+ % {2}0\/6 done/);
    expect(frame[1]).toMatch(/^ {2}orders\/2026-01 █*░+ exporting 5 %$/);
    expect(frame.length).toBeLessThanOrEqual(6);
    expect(run.screen.isCursorShown).toBe(false);
    run.type('\u0003');
    expect(await run.ended()).toBe(130);
    expect(run.screen.lines.filter((line) => line !== '^C')).toEqual([
      'tillroll: interrupted. Run the same command again to continue',
    ]);
    expect(run.screen.isCursorShown).toBe(true);
  });

  test('a second Ctrl-C leaves nothing behind, either', async () => {
    await using server = await startServer({ open: true, finishes: false });
    await using run = new TerminalRun(pull(), { env: connection(server) });
    await run.until(isExporting);
    run.type('\u0003\u0003');
    expect(await run.ended()).toBe(130);
    expect(run.screen.lines.join()).not.toMatch(/exporting|done|%/);
    expect(run.screen.isCursorShown).toBe(true);
  });

  test.each(WIDTHS)('no line is wider than the terminal: %d columns', async (columns) => {
    await using server = await startServer({ open: true, finishes: false });
    await using run = new TerminalRun(pull(), { env: connection(server), columns, rows: 5 });
    await run.until(({ lines }) => lines.some((line) => line.includes(' 5 %')));
    for (const line of run.screen.lines) expect(line.length).toBeLessThan(Math.min(columns, 121));
    expect(run.screen.lines.length).toBeLessThanOrEqual(4);
  });

  test('a terminal that does not tell its size is taken for one of 80 columns', async () => {
    await using server = await startServer({ open: true, finishes: false });
    await using run = new TerminalRun(pull(), { env: connection(server), columns: 0, rows: 0 });
    await run.until(isExporting);
  });

  test('another size is used at once', async () => {
    await using server = await startServer({ open: true, finishes: false });
    await using run = new TerminalRun(pull(), { env: connection(server), columns: 100 });
    await run.until(isExporting);
    const before = run.output.length;
    run.resize(40, 10);
    await run.until(() => run.output.slice(before).includes('% orders/2026-01 exporting'));
  });

  test('failures stay above the progress', async () => {
    await using server = await startServer({ open: true, finishes: true, fails: 'ORDERS' });
    await using run = new TerminalRun(pull(), { env: connection(server) });
    expect(await run.ended()).toBe(1);
    const lines = run.screen.lines;
    expect(lines.slice(0, 3).map((line) => line.slice(0, 22))).toEqual([
      'orders/2026-01 failed:',
      'orders/2026-02 failed:',
      'orders/2026-03 failed:',
    ]);
    expect(lines[3]).toMatch(/sales: not complete$/);
    expect(run.screen.colours).toBeGreaterThan(0);
  });

  test('the summary is in colour, unless NO_COLOR is set', async () => {
    await using server = await startServer({ open: true, finishes: true });
    for (const [own, isColoured] of [
      [{}, true],
      [{ NO_COLOR: '1' }, false],
    ] as const) {
      await using run = new TerminalRun(pull(), { env: { ...connection(server), ...own } });
      expect(await run.ended()).toBe(0);
      expect(run.screen.colours > 0).toBe(isColoured);
      expect(run.screen.lines[0]).toMatch(/sales: complete$/);
    }
  });

  test('a dumb terminal gets plain lines', async () => {
    await using server = await startServer({ open: true, finishes: true });
    const env = { ...connection(server), TERM: 'dumb' };
    await using run = new TerminalRun(pull(), { env });
    expect(await run.ended()).toBe(0);
    expect(run.output).not.toContain('\u001b');
    expect(run.screen.lines[0]).toMatch(/Z plan: 6 month files/);
  });

  test('exports wait draws one line', async () => {
    await using server = await startServer({ open: true, finishes: false });
    const env = connection(server);
    const create = ['exports', 'create', '--type', 'orders', '--from', '2026-01-01'] as const;
    await using created = new TerminalRun([...create, '--to', '2026-01-31'], { env });
    expect(await created.ended()).toBe(0);
    await using run = new TerminalRun(['exports', 'wait', 'EXPORT0'], { env });
    await run.until(({ lines }) => /^█+░+ 10 % {2}IN_PROGRESS/.test(lines[0] ?? ''));
    run.type('\u0003');
    expect(await run.ended()).toBe(130);
    expect(run.screen.lines.filter((line) => line !== '^C')).toEqual(['tillroll: interrupted']);
    expect(run.screen.isCursorShown).toBe(true);
  });
});
