import { randomBytes } from 'node:crypto';
import { lchown, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findNative, readVersion, usableBinaries } from './binaries.ts';
import {
  exists,
  privateDirectory,
  readIfExists,
  removeStaging,
  renameDurably,
  withStaging,
} from './files.ts';
import { findLocation, type Location } from './location.ts';
import { run } from './run.ts';
import { CONNECTION, socketDirectory } from './settings.ts';
import { readState, stateFile, writeState } from './state.ts';

/** For pg.Pool / pg.Client / pg-boss: host is the socket directory. */
export type Connection = typeof CONNECTION & { readonly host: string; readonly password: string };

/** The files of a PostgreSQL, with everything that is needed to run or to reach it. */
export interface Cluster extends Location {
  readonly dataDir: string;
  readonly data: string;
  readonly connection: Connection;
  /** The directory of PostgreSQL's bin, lib and share. */
  readonly binaries: string;
}

/** Finds everything about the cluster of this data directory, short of touching the cluster itself. */
export async function findCluster(dataDir: string, native = findNative()): Promise<Cluster> {
  const state = await readState(dataDir);
  const { home, account } = await findLocation(dataDir, state?.home);
  const data = join(home, 'data');
  if (state === null && (await exists(data))) {
    throw new Error(
      `The database in ${home} has lost its password, ${stateFile(dataDir)}: restore the file, or move ${home} away to start empty`,
    );
  }
  const password = state?.password ?? randomBytes(32).toString('base64url');
  const connection = { ...CONNECTION, host: socketDirectory(home), password };
  // The password is stored before the cluster is made, so that no crash can leave one whose password is lost.
  await writeState(dataDir, { ...connection, home });
  await removeStaging(home);
  const version = await readVersion(native);
  if (await exists(data)) await checkVersion(data, version);
  const binaries = await usableBinaries(native, join(home, `bin-${version}`), account);
  return { dataDir, home, data, account, connection, binaries };
}

/** Makes the data directory unless there is one; what is half-made never has the final name. */
export async function ensureCluster(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const { home, data, account, binaries, connection } = cluster;
  if (await exists(data)) return;
  await withStaging(home, async (staging) => {
    await privateDirectory(staging, account);
    const draft = join(staging, 'data');
    const passwordFile = join(staging, 'password');
    await writeFile(passwordFile, connection.password, { mode: 0o600, flag: 'wx' });
    if (account.drop) await lchown(passwordFile, account.uid, account.gid);
    const settings = ['-U', connection.user, '-E', 'UTF8', '--locale=C', '-A', 'scram-sha-256'];
    const args = ['-D', draft, ...settings, `--pwfile=${passwordFile}`];
    await run(join(binaries, 'bin', 'initdb'), args, { account, signal });
    await renameDurably(draft, data);
  });
}

/** For the start-up log when home is not below the data directory or binaries were copied, else null. */
export function describeLocation({ dataDir, home, account, binaries }: Cluster): string | null {
  const sentences = [];
  if (dirname(home) !== dataDir)
    sentences.push(
      `PostgreSQL's files are in ${home}, because it runs as ${account.name}, who cannot enter ${dataDir}.`,
    );
  if (dirname(binaries) === home)
    sentences.push(
      `PostgreSQL's programs were copied to ${binaries}, because they do not run where npm put them.`,
    );
  return sentences.join(' ') || null;
}

/** PostgreSQL itself refuses files of another major version, without saying what to do about it. */
async function checkVersion(data: string, version: string): Promise<void> {
  const made = (await readIfExists(join(data, 'PG_VERSION')))?.trim();
  const brought = version.split('.')[0];
  if (made === brought) return;
  if (made === undefined)
    throw new Error(`${data} is not a PostgreSQL data directory: move it away to start empty`);
  throw new Error(
    `The database in ${data} was made by PostgreSQL ${made} and this version of Tillroll brings ${brought}: ` +
      `save it with "tillroll-server backup FILE" of the earlier Tillroll, then run "tillroll-server restore FILE" of this one with a new TILLROLL_DATA_DIR`,
  );
}
