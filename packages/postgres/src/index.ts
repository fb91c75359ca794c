import { mkdir, realpath } from 'node:fs/promises';
import { ClusterLease } from './cluster-lease.ts';
import { describeLocation, ensureCluster, findCluster, type Connection } from './cluster.ts';
import { connectOrStart, ensureDatabase, releaseSession } from './connect.ts';
import { withStartLock } from './start-lock.ts';

export { removeEmbeddedPostgres } from './remove.ts';

/** A running PostgreSQL of our own; disposing it stops it if nobody else uses it. */
export interface EmbeddedPostgres extends AsyncDisposable {
  readonly connection: Connection;
  /** Absolute path of the cluster's data and, if they were copied, of its binaries; printed at start-up. */
  readonly home: string;
  /** For the start-up log when home is not below dataDir or binaries were copied, else null. */
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
    const cluster = await findCluster(dataDir, options.native);
    await ensureCluster(cluster, signal);
    const session = await connectOrStart(cluster, signal);
    try {
      await ensureDatabase(session);
      signal.throwIfAborted();
    } catch (error) {
      await releaseSession(cluster, session);
      throw error;
    }
    const { connection, home } = cluster;
    const notice = describeLocation(cluster);
    return Object.assign(new ClusterLease(cluster, session), { connection, home, notice });
  });
}
