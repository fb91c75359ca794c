import { realpath, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists, hasCode, remove } from './directories.ts';
import { isPostmaster, readPostmasterStatus } from './postmaster-status.ts';
import { outsideHome } from './location.ts';
import { removeSocketDirectory } from './socket.ts';
import { readState, stateFile } from './state.ts';

/** Deletes a stopped cluster with all that belongs to it; the data directory itself stays. */
export async function removeEmbeddedPostgres(directory: string): Promise<void> {
  if (!(await exists(directory))) return;
  const dataDir = await realpath(directory);
  const state = await readState(dataDir);
  if (state === null) return;
  const { home, host } = state;
  // A copied or moved data directory may name a cluster that another one lives from.
  if (home !== join(dataDir, 'postgres') && home !== outsideHome(dataDir)) {
    throw new Error(
      `${stateFile(dataDir)} names ${home}, which was not made for ${dataDir}: delete by hand what is not needed`,
    );
  }
  const note = await readPostmasterStatus(join(home, 'data'));
  if (note && (await isPostmaster(note.pid, join(home, 'data')))) {
    throw new Error(
      `PostgreSQL (process ${note.pid}) in ${home} is running: stop what uses it, then delete it`,
    );
  }
  await remove(home);
  await removeSocketDirectory(home, host);
  if (home === outsideHome(dataDir)) await removeIfEmpty(dirname(home));
  await rm(stateFile(dataDir), { force: true });
}

async function removeIfEmpty(directory: string): Promise<void> {
  await rmdir(directory).catch((error: unknown) => {
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error;
  });
}
