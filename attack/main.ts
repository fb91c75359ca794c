/** `npm run attack`: runs all attacks and prints a table. See docs/attack.md. */
import { setTimeout as delay } from 'node:timers/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { runSuite } from '../scripts/suite.ts';
import { ATTACKS } from './attacks/index.ts';
import { NormalClient } from './client/process.ts';
import { HELP, parseOptions, type Options } from './options.ts';
import { prepare } from './prepare.ts';
import { measureIdle, runAttack, type Stage } from './run.ts';
import { Service } from './service.ts';
import { formatDetails, formatHeader, formatIdle, formatLimits, formatRow } from './table.ts';
import { attackerAddress, type Attack } from './tools/scene.ts';
import { findFaults, isNoisy, isOutage, type Idle, type Row } from './verdict.ts';

const WARM_UP_MS = 2_000;
/** After an attack that left more than this above idle, the next one meets a fresh service. */
const FRESH_MB = 75;

function choose({ short, only }: Options): Attack[] {
  if (only.length > 0)
    return ATTACKS.filter(({ name }) => only.some((start) => name.startsWith(start)));
  return ATTACKS.filter(({ inShort }) => inShort || !short);
}

/** @throws where the attackers' addresses are not there, as on macOS. */
async function requireAddresses(): Promise<void> {
  const server = createServer().listen(0, attackerAddress());
  await once(server, 'listening').catch((error: unknown) => {
    throw new Error(`${attackerAddress()} is not an address of this machine: run this on Linux`, {
      cause: error,
    });
  });
  server.close();
}

/** After an attack that the service did not survive, or that left it large. */
async function refresh({ service, client, target }: Stage, row: Row, idle: Idle): Promise<void> {
  const above = (row.left.memoryMb ?? 0) - (idle.memoryMb ?? 0);
  if (row.end === 'answers' && !row.isRunaway && above <= FRESH_MB && row.left.round === '') return;
  await service.restart();
  client.begin(target);
  await delay(WARM_UP_MS);
  await client.end();
}

async function runAndPrint(stage: Stage, attack: Attack, idle: Idle): Promise<Row> {
  const row = await runAttack(stage, attack, idle);
  console.log([formatRow(row, idle), ...formatDetails(row)].join('\n'));
  await refresh(stage, row, idle);
  return row;
}

/** Nothing but a time is wrong, on a machine that was too busy to tell: worth a second look, once. */
function isTimeAlone(row: Row, idle: Idle): boolean {
  return isNoisy(row) && findFaults(row, idle).join() === 'p99';
}

/** @returns whether each row passes; in the short form, whether none is an outage. */
async function attackAll(stage: Stage, attacks: readonly Attack[]): Promise<boolean> {
  stage.client.begin(stage.target);
  await delay(WARM_UP_MS);
  await stage.client.end();
  const idle = await measureIdle(stage);
  console.log(`${formatIdle(idle)}\n${formatLimits(idle)}\n\n${formatHeader()}`);
  const rows: Row[] = [];
  for (const attack of attacks) {
    stage.signal.throwIfAborted();
    let row = await runAndPrint(stage, attack, idle);
    if (isTimeAlone(row, idle)) row = await runAndPrint(stage, attack, idle);
    rows.push(row);
  }
  const after = await measureIdle(stage);
  const passed = rows.filter((row) => findFaults(row, idle).length === 0).length;
  console.log(`\n${[formatHeader(), ...rows.map((row) => formatRow(row, idle))].join('\n')}`);
  console.log(`\nbefore, ${formatIdle(idle)}\nafter, ${formatIdle(after)}\n${formatLimits(idle)}`);
  console.log(`${passed} of ${rows.length} attacks withstood`);
  const outages = rows.filter((row) => isOutage(row, idle)).map(({ name }) => name);
  if (outages.length > 0) console.log(`outages: ${outages.join(', ')}`);
  return stage.short ? outages.length === 0 : passed === rows.length;
}

async function run(options: Options, signal: AbortSignal): Promise<boolean> {
  const attacks = choose(options);
  if (attacks.length === 0) throw new Error('no attack has such a name: see --list');
  await requireAddresses();
  const service = await Service.create();
  const client = new NormalClient();
  try {
    await service.start(signal);
    const { short } = options;
    console.log('preparing: merchants, orders, exports');
    const target = await prepare(service, short, signal);
    return await attackAll({ service, target, client, short, signal }, attacks);
  } finally {
    client.stop();
    await service.remove();
  }
}

process.exitCode = await runSuite(
  {
    name: 'attack',
    help: HELP,
    parse: parseOptions,
    list: () =>
      ATTACKS.map(
        ({ name, about, inShort }) => `${name.padEnd(30)}${inShort ? 'short ' : '      '}${about}`,
      ),
    run,
    describe: (error) => (error instanceof Error ? error.message : String(error)),
  },
  process.argv.slice(2),
);
