import { mkdir, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import type pg from 'pg';
import { copiedBinaries } from './binaries.ts';
import { ensureCluster, type Cluster } from './cluster.ts';
import { describeCluster } from './describe.ts';
import { exists, removeStaging } from './directories.ts';
import { connectOrStart } from './connect-or-start.ts';
import { ClusterLease } from './cluster-lease.ts';
import { releaseSession } from './session.ts';
import { withStartLock } from './start-lock.ts';
import { DATABASE } from './settings.ts';
import { updateState } from './state.ts';

export { removeEmbeddedPostgres } from './remove.ts';

/** A running PostgreSQL of our own; disposing it stops it if nobody else uses it. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** For pg.Pool / pg.Client / pg-boss: host is the socket directory. */
  readonly connection: {
    host: string;
    port: number;
    user: string;
    password: string;
    database: string;
    /** Said outright, because PGSSLMODE would otherwise apply to the socket too. */
    ssl: false;
  };
  /** Absolute path of the cluster's data and, if they were copied, of its binaries; printed at start-up. */
  readonly home: string;
  /** One sentence for the start-up log when home is not below dataDir or binaries were copied, else null. */
  readonly notice: string | null;
}

export interface EmbeddedOptions {
  dataDir: string;
  signal?: AbortSignal;
  /** The directory with PostgreSQL's bin, lib and share; default: the one that npm installed. */
  native?: string;
}

/** Opens the PostgreSQL of a data directory: connects to a running one, starts a stopped one, creates a missing one. */
export async function openEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  if (process.platform === 'win32') {
    throw new Error('Tillroll starts no PostgreSQL of its own on Windows: set DATABASE_URL');
  }
  await mkdir(options.dataDir, { recursive: true });
  const dataDir = await realpath(options.dataDir);
  return withStartLock(dataDir, signal, async () => {
    const cluster = await describeCluster(dataDir, options.native);
    await removeStaging(cluster.home);
    await ensureCluster(cluster, signal);
    const session = await connectOrStart(cluster, signal);
    try {
      await ensureDatabase(session.client);
      const { host, port } = session;
      const { home, user, password, version } = cluster;
      await updateState(dataDir, { host, port, user, password, home, version });
      const notice = await describeLocation(cluster);
      signal.throwIfAborted();
      const lease = new ClusterLease(cluster, session);
      return {
        connection: { host, port, user, password, database: DATABASE, ssl: false },
        home,
        notice,
        [Symbol.asyncDispose]: () => lease[Symbol.asyncDispose](),
      };
    } catch (error) {
      await releaseSession(cluster, session.client);
      throw error;
    }
  });
}

async function ensureDatabase(client: pg.Client): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
  // template0: no session can be connected to it, which would refuse the copy.
  if (!rowCount) await client.query(`CREATE DATABASE ${DATABASE} TEMPLATE template0`);
}

async function describeLocation({
  dataDir,
  home,
  account,
  version,
}: Cluster): Promise<string | null> {
  const outside = dirname(home) !== dataDir;
  const copy = copiedBinaries(home, version);
  const copied = await exists(copy);
  if (outside) {
    return `PostgreSQL's files are in ${home}, because it runs as ${account.name}, who cannot enter ${dataDir}${copied ? '; its programs were copied there too' : ''}.`;
  }
  return copied
    ? `PostgreSQL's programs were copied to ${copy}, because they do not run where npm put them.`
    : null;
}
