/**
 * Runs every example of `examples/` but the C# one against a throw-away service, and compares what they
 * report and write: with each other, and with what the database itself counts and adds up.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXPORT_TYPES, type ExportType } from '@tillroll/contract';
import { removeEmbeddedPostgres } from '@tillroll/postgres';
import { openDatabase } from '../packages/server/src/database/open.ts';
import { runCommand, startServer } from './server-process.ts';

const MERCHANT = 'EXAMPLES';
const FROM = '2026-01-10';
const TO = '2026-03-21';
const ORDERS = 3_000;
const TIMEOUT_MS = 180_000;

interface Example {
  name: string;
  command: readonly string[];
  needs: readonly string[];
  /** True when it writes raw files; the library's example writes JSON lines. */
  keepsFiles: boolean;
}

function path(name: string): string {
  return fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
}

const { execPath } = process;
const EXAMPLES: readonly Example[] = [
  {
    name: 'typescript-fetch',
    command: [execPath, path('typescript-fetch/export.ts')],
    needs: [],
    keepsFiles: true,
  },
  {
    name: 'typescript-library',
    command: [execPath, path('typescript-library/export.ts')],
    needs: [],
    keepsFiles: false,
  },
  {
    name: 'python',
    command: ['python3', path('python/export.py')],
    needs: ['python3'],
    keepsFiles: true,
  },
  {
    name: 'shell',
    command: ['bash', path('shell/export.sh')],
    needs: ['bash', 'curl', 'jq'],
    keepsFiles: true,
  },
];

interface Ended {
  code: number | null;
  output: string;
  complaint: string;
}

interface Row {
  example: string;
  type: ExportType;
  objects: string;
  sum: string;
  files: string;
  seconds: number;
  equal: boolean;
}

type Environment = Readonly<Record<string, string>>;

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupted.abort(new Error('interrupted')));
}

/** Runs an example to its end, which may be a failure. */
async function run(
  { command }: Example,
  args: readonly string[],
  environment: Environment,
): Promise<Ended> {
  const [program = '', ...own] = command;
  const child = spawn(program, [...own, ...args], {
    // A proxy of the caller's would not reach a service on this machine.
    env: { ...process.env, no_proxy: '127.0.0.1', NO_PROXY: '127.0.0.1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: AbortSignal.any([interrupted.signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  let output = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output, complaint };
}

/** The last lines of an example: `3000 objects`, then `sum of total: 123 USD` for each currency. */
function closingLines(output: string): { objects: string; sum: string } {
  const objects = /^(\d+) objects$/m.exec(output)?.[1] ?? 'none said';
  const sums = [...output.matchAll(/^sum of (?:total|amount): (.+)$/gm)].map(([, sum]) => sum);
  return { objects, sum: sums.join(', ') };
}

/** Name and SHA-256 of every file, as one text. */
async function contents(directory: string): Promise<string> {
  const names = (await readdir(directory)).toSorted();
  const lines = names.map(async (name) => {
    const sha256 = createHash('sha256').update(await readFile(join(directory, name)));
    return `${name} ${sha256.digest('hex')}`;
  });
  return (await Promise.all(lines)).join('\n');
}

/** The database's own figures, in the examples' words. */
async function truth(
  dataDir: string,
): Promise<Readonly<Record<ExportType, { objects: string; sum: string }>>> {
  const database = await openDatabase({
    databaseUrl: null,
    dataDir,
    poolSize: 1,
    onError: (error) => console.error(error),
    signal: interrupted.signal,
  });
  const ask = async (table: string, sum: string) => {
    const { rows } = await database.pool.query<{ currency: string; objects: string; sum: string }>(
      `SELECT coalesce(currency, '?') AS currency, count(*)::text AS objects, ${sum}::text AS sum
       FROM tillroll.${table}
       WHERE merchant_id = $1 AND created_time >= $2 AND created_time < $3
       GROUP BY 1 ORDER BY 1`,
      [MERCHANT, Date.parse(FROM), Date.parse(TO)],
    );
    return {
      objects: String(rows.reduce((count, row) => count + Number(row.objects), 0)),
      sum: rows.map(({ currency, sum }) => `${sum} ${currency}`).join(', '),
    };
  };
  try {
    return {
      ORDERS: await ask('orders', 'sum(total)'),
      PAYMENTS: await ask(
        'payments',
        "sum(amount) FILTER (WHERE (object::jsonb)->>'result' = 'SUCCESS')",
      ),
    };
  } finally {
    await database.close();
  }
}

/** The examples whose tools are here. @throws Error in CI when a tool is missing. */
function runnable(): Example[] {
  return EXAMPLES.filter(({ name, needs }) => {
    const missing = needs.filter((tool) => spawnSync(tool, ['--version']).status !== 0);
    if (missing.length === 0) return true;
    const reason = `${name}: ${missing.join(' and ')} not on this machine`;
    if (process.env['CI'] === 'true') throw new Error(reason);
    console.log(`SKIPPED ${reason}`);
    return false;
  });
}

/** A wrong token must end an example with 1, a wrong date with 2 and one line. */
async function failsWell(example: Example, out: string, own: Environment): Promise<boolean> {
  const refused = await run(example, ['ORDERS', FROM, TO, out], {
    ...own,
    TILLROLL_TOKEN: 'wrong',
  });
  const misused = await run(example, ['ORDERS', '2026-02-30', TO, out], own);
  const isOneLine = misused.complaint.trim().split('\n').length === 1;
  const holds =
    refused.code === 1 && refused.complaint.includes('401') && misused.code === 2 && isOneLine;
  if (!holds) console.error(`${example.name} fails badly:`, { refused, misused });
  return holds;
}

async function examples(directory: string): Promise<boolean> {
  const chosen = runnable();
  const environment = { TILLROLL_DATA_DIR: directory, TILLROLL_LOG_LEVEL: 'warn' };
  const { signal } = interrupted;
  console.log('Starting Tillroll with a PostgreSQL of its own ...');
  const server = await startServer('all', environment, join(directory, 'service.log'), signal);
  try {
    const install = ['install', '--merchant', MERCHANT, '--app', 'EXAMPLES'];
    const permissions = ['--permissions', 'ORDERS_R,PAYMENTS_R'];
    const token = await runCommand([...install, ...permissions], environment, signal);
    const seed = ['seed', '--merchant', MERCHANT, '--orders', String(ORDERS)];
    await runCommand([...seed, '--from', FROM, '--to', TO], environment, signal);
    const wanted = await truth(directory);
    const own = { TILLROLL_URL: server.url, TILLROLL_MERCHANT: MERCHANT, TILLROLL_TOKEN: token };

    const rows: Row[] = [];
    let failures = 0;
    for (const type of EXPORT_TYPES) {
      const { objects, sum } = wanted[type];
      rows.push({
        example: '(database)',
        type,
        objects,
        sum,
        files: '',
        seconds: 0,
        equal: objects !== '0',
      });
      let written: string | undefined;
      for (const example of chosen) {
        // With a blank, because users' directories have them.
        const out = join(directory, `${example.name} ${type}`);
        const started = performance.now();
        const ended = await run(example, [type, FROM, TO, out], own);
        const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
        const found = closingLines(ended.output);
        let equal = ended.code === 0 && found.objects === objects && found.sum === sum;
        if (ended.code !== 0)
          console.error(`${example.name} ended with ${ended.code}: ${ended.complaint}`);
        const files = ended.code === 0 ? await contents(out) : '';
        if (example.keepsFiles) {
          written ??= files;
          equal &&= files !== '' && files === written;
        }
        const digest = createHash('sha256').update(files).digest('hex').slice(0, 8);
        const count = `${files.split('\n').length}: ${example.keepsFiles ? digest : 'JSON lines'}`;
        rows.push({ example: example.name, type, ...found, files: count, seconds, equal });
      }
    }
    for (const example of chosen)
      if (!(await failsWell(example, join(directory, 'none'), own))) failures++;
    console.table(rows);
    return failures === 0 && rows.every(({ equal }) => equal);
  } finally {
    await server.stop();
  }
}

const directory = await mkdtemp(join(tmpdir(), 'tillroll-examples-'));
try {
  const isEqual = await examples(directory);
  console.log(isEqual ? 'All examples agree with the database.' : 'NOT EQUAL: see the table.');
  if (!isEqual) process.exitCode = 1;
} catch (error) {
  console.error(interrupted.signal.aborted ? 'Interrupted; nothing is left behind.' : error);
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
} finally {
  await removeEmbeddedPostgres(directory);
  await rm(directory, { recursive: true, force: true });
}
