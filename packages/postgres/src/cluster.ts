import { chmod, lchown, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './account.ts';
import {
  exists,
  privateDirectory,
  remove,
  stagingDirectory,
  syncDirectory,
} from './directories.ts';
import { faultLine, run } from './run.ts';
import { USER } from './settings.ts';

const INITDB_BOUND_MS = 60_000;

/** The files of a PostgreSQL, with everything that is needed to run or to reach it. */
export interface Cluster {
  readonly dataDir: string;
  readonly home: string;
  readonly data: string;
  readonly account: Account;
  readonly user: string;
  readonly password: string;
  /** Directory of the socket of a postmaster that this process starts. A running one names its own. */
  readonly socketDirectory: string;
  /** Found, or copied, when something has to be started. */
  readonly binaries: () => Promise<string>;
  readonly version: string;
}

/** Makes the data directory unless there is one; what is half-made never has the final name. */
export async function ensureCluster(cluster: Cluster, signal?: AbortSignal): Promise<void> {
  const { home, data, account } = cluster;
  if (await exists(data)) return await checkVersion(cluster);
  const binaries = await cluster.binaries();
  const staging = await stagingDirectory(home);
  try {
    await privateDirectory(join(staging, 'initdb'), account);
    const draft = join(staging, 'initdb', 'data');
    const passwordFile = join(staging, 'initdb', 'password');
    await writeFile(passwordFile, cluster.password, { mode: 0o600, flag: 'wx' });
    if (account.drop) {
      await lchown(passwordFile, account.uid, account.gid);
      // To walk through; the directory inside is the account's alone.
      await chmod(staging, 0o711);
    }
    await initdb(cluster, binaries, draft, passwordFile, signal);
    await rename(draft, data);
    await syncDirectory(home);
  } finally {
    await remove(staging);
  }
}

async function initdb(
  { account, home }: Cluster,
  binaries: string,
  draft: string,
  passwordFile: string,
  signal?: AbortSignal,
): Promise<void> {
  const program = join(binaries, 'bin', 'initdb');
  const args = [
    '-D',
    draft,
    '-U',
    USER,
    '-E',
    'UTF8',
    '--locale=C',
    '-A',
    'scram-sha-256',
    `--pwfile=${passwordFile}`,
  ];
  const bound = AbortSignal.timeout(INITDB_BOUND_MS);
  const either = signal ? AbortSignal.any([signal, bound]) : bound;
  try {
    const { code, stderr } = await run(program, args, { account, signal: either });
    if (code === 0) return;
    throw new Error(`initdb failed in ${home}: ${faultLine(stderr)}`);
  } catch (error) {
    if (signal?.aborted || !bound.aborted) throw error;
    throw new Error(
      `initdb in ${home} took longer than ${INITDB_BOUND_MS / 1000} s: check the disk`,
      {
        cause: error,
      },
    );
  }
}

async function checkVersion({ data, version }: Cluster): Promise<void> {
  const made = await readFile(join(data, 'PG_VERSION'), 'utf8').then(
    (text) => text.trim(),
    (cause: unknown) => {
      throw new Error(`${data} is not a PostgreSQL data directory: move it away to start empty`, {
        cause,
      });
    },
  );
  const brought = version.split('.')[0];
  if (made === brought) return;
  throw new Error(
    `The database in ${data} was made by PostgreSQL ${made} and this version of Tillroll brings ${brought}: ` +
      `save it with "tillroll-server backup FILE" of the earlier Tillroll, then run "tillroll-server restore FILE" of this one with a new TILLROLL_DATA_DIR`,
  );
}
