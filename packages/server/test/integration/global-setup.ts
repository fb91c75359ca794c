/** vitest's global set-up: one PostgreSQL of our own for all files of this run. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { openEmbeddedPostgres, removeEmbeddedPostgres } from '@tillroll/postgres';

export interface Cluster {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    cluster: Cluster;
  }
}

export default async function start(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tillroll-integration-'));
  // PostgreSQL does not run as root. The user that it runs as must be able to enter this directory.
  await chmod(dataDir, 0o755);
  const remove = async (): Promise<void> => {
    await removeEmbeddedPostgres(dataDir);
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const postgres = await openEmbeddedPostgres({ dataDir });
    const { host, port, user, password, database } = postgres.connection;
    project.provide('cluster', { host, port, user, password, database });
    return async () => {
      await postgres[Symbol.asyncDispose]();
      await remove();
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
