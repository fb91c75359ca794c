import { realpath, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists, remove } from './files.ts';
import { findLocation } from './location.ts';
import { findPostmaster } from './postmaster.ts';
import { socketDirectory } from './settings.ts';
import { withStartLock } from './start-lock.ts';
import { readState, stateFile } from './state.ts';

const LOCK_BOUND_MS = 60_000;

/** Deletes a stopped cluster with all that belongs to it; the data directory itself stays. */
export async function removeEmbeddedPostgres(directory: string): Promise<void> {
  if (!(await exists(directory))) return;
  const dataDir = await realpath(directory);
  await withStartLock(dataDir, AbortSignal.timeout(LOCK_BOUND_MS), async () => {
    const state = await readState(dataDir);
    if (state === null) return;
    const { home, account } = await findLocation(dataDir);
    // A copied or moved data directory may name a cluster that another one lives from.
    if (home !== state.home) {
      throw new Error(
        `${stateFile(dataDir)} names ${state.home}, which was not made for ${dataDir}: delete by hand what is not needed`,
      );
    }
    const pid = await findPostmaster({ data: join(home, 'data'), account });
    if (pid !== null)
      throw new Error(
        `PostgreSQL (process ${pid}) in ${home} is running: stop what uses it, then delete it`,
      );
    await remove(home);
    // The directory of a socket outside home, and that of outside homes when this was the last one.
    for (const path of [socketDirectory(home), dirname(home)])
      await rmdir(path).catch(() => undefined);
    await rm(stateFile(dataDir), { force: true });
  });
}
