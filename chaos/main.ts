/** `npm run chaos`: causes faults and prints a table. See docs/chaos.md. */
import { runSuite } from '../scripts/suite.ts';
import type { Case } from './case.ts';
import { CASES } from './cases/index.ts';
import { HELP, parseOptions, type Options } from './options.ts';
import { Random } from './random.ts';
import { Servers } from './scene/servers.ts';
import { readState, writeState } from './state.ts';
import { formatDetails, formatHeader, formatRow } from './table.ts';
import { Tally } from './tally.ts';
import { findFaults, type Row } from './verdict.ts';

/** Cases of the short form that run at the same time: most of the time, a case waits. */
const SHORT_LANES = 2;

/** @throws for a name that no case has. */
function choose({ short, cases }: Options): Case[] {
  for (const name of cases)
    if (!CASES.some((each) => each.name === name))
      throw new Error(`no case is named "${name}": see --list`);
  if (cases.length > 0) return CASES.filter(({ name }) => cases.includes(name));
  return CASES.filter(({ runs }) => !short || runs.short > 0);
}

async function runCase(
  each: Case,
  servers: Servers,
  { short, seed }: Options,
  signal: AbortSignal,
): Promise<Row> {
  const { name, boundS } = each;
  const started = performance.now();
  const tally = new Tally();
  const runs = short ? Math.max(1, each.runs.short) : each.runs.long;
  const random = new Random(`${seed} ${name}`);
  const skipped = each.findObstacle?.() ?? null;
  let broken: string | null = null;
  try {
    if (skipped === null)
      await each.run({ runs, isShort: short, random, servers, tally, signal, boundS });
  } catch (error) {
    signal.throwIfAborted();
    broken = describe(error);
  }
  const seconds = (performance.now() - started) / 1000;
  return { name, wanted: runs, boundS, seconds, skipped, broken, ...tally.counts() };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} (${describe(error.cause)})`;
}

function print(row: Row): void {
  console.log([formatRow(row), ...formatDetails(row)].join('\n'));
}

function position(cases: readonly Case[], { name }: Row): number {
  return cases.findIndex((each) => each.name === name);
}

async function run(given: Options, signal: AbortSignal): Promise<boolean> {
  const former = given.resume ? await readState(given.state) : null;
  const usable = former?.isShort === given.short ? former : null;
  const options = { ...given, seed: usable?.seed ?? given.seed };
  const passed = (usable?.rows ?? []).filter((row) => findFaults(row).length === 0);
  const { seed, short: isShort, state } = options;
  console.log(`seed ${seed}\n\n${formatHeader()}`);
  const rows: Row[] = [];
  await using servers = new Servers();
  const cases = choose(options);
  const waiting = [...cases];
  let saved = Promise.resolve();
  const runInTurn = async (): Promise<void> => {
    for (let each = waiting.shift(); each; each = waiting.shift()) {
      signal.throwIfAborted();
      const { name } = each;
      const known = passed.find((row) => row.name === name && row.skipped === null);
      const row = known ?? (await runCase(each, servers, options, signal));
      rows.push(row);
      print(row);
      const others = passed.filter((former) => !rows.some((done) => done.name === former.name));
      const finished = [...rows, ...others];
      saved = saved.then(() => writeState(state, { isShort, seed, rows: finished }));
      await saved;
    }
  };
  // Each must have ended before the servers do.
  const lanes = await Promise.allSettled(
    Array.from({ length: isShort ? SHORT_LANES : 1 }, runInTurn),
  );
  for (const lane of lanes) if (lane.status === 'rejected') throw lane.reason;
  rows.sort((one, other) => position(cases, one) - position(cases, other));
  const failed = rows.filter((row) => findFaults(row).length > 0);
  const skipped = rows.filter((row) => row.skipped !== null);
  console.log(`\n${[formatHeader(), ...rows.map(formatRow)].join('\n')}`);
  console.log(
    `${rows.length - failed.length - skipped.length} of ${rows.length} cases pass, ${skipped.length} skipped; seed ${seed}`,
  );
  return failed.length === 0;
}

process.exitCode = await runSuite(
  {
    name: 'chaos',
    help: HELP,
    parse(args) {
      const options = parseOptions(args);
      choose(options);
      return options;
    },
    list: () =>
      CASES.map(
        ({ name, about, runs }) =>
          `${name.padEnd(17)}${runs.short > 0 ? 'short ' : '      '}${about}`,
      ),
    run,
    describe,
  },
  process.argv.slice(2),
);
