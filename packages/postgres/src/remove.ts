import { realpath, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findOwnerAccount } from './account.ts';
import { exists, remove } from './files.ts';
import { outsideHome } from './location.ts';
import { findPostmaster } from './postmaster.ts';
import { removeSocketDirectory } from './settings.ts';
import { withStartLock } from './start-lock.ts';
import { readState, stateFile } from './state.ts';

const LOCK_BOUND_MS = 60_000;

/** Deletes a stopped cluster with all that belongs to it; the data directory itself stays. */
export async function removeEmbeddedPostgres(directory: string): Promise<void> {
  if (!(await exists(directory))) return;
  const dataDir = await realpath(directory);
  await withStartLock(dataDir, AbortSignal.timeout(LOCK_BOUND_MS), () => removeCluster(dataDir));
}

async function removeCluster(dataDir: string): Promise<void> {
  const state = await readState(dataDir);
  if (state === null) return;
  const { home } = state;
  // A copied or moved data directory may name a cluster that another one lives from.
  if (home !== join(dataDir, 'postgres') && home !== outsideHome(dataDir)) {
    throw new Error(
      `${stateFile(dataDir)} names ${home}, which was not made for ${dataDir}: delete by hand what is not needed`,
    );
  }
  const data = join(home, 'data');
  const pid = (await exists(data))
    ? await findPostmaster({ data, account: await findOwnerAccount(data) })
    : null;
  if (pid !== null)
    throw new Error(
      `PostgreSQL (process ${pid}) in ${home} is running: stop what uses it, then delete it`,
    );
  await remove(home);
  await removeSocketDirectory(home);
  // The directory of all outside homes, when this was the last one. A data directory still has its state.
  await rmdir(dirname(home)).catch(() => undefined);
  await rm(stateFile(dataDir), { force: true });
}
