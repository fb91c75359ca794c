/** Spools of uploads that this process holds open. */

import { readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Sizes of the spools that this process holds open: they have no name. */
async function spoolSizes(dataDir: string): Promise<number[]> {
  const directory = join(dataDir, 'spool');
  const sizes = (await readdir('/proc/self/fd')).map(async (fd) => {
    const path = `/proc/self/fd/${fd}`;
    // One that was closed meanwhile.
    const target = await readlink(path).catch(() => '');
    return target.startsWith(directory)
      ? stat(path).then(
          ({ size }) => size,
          () => null,
        )
      : null;
  });
  return (await Promise.all(sizes)).filter((size) => size !== null);
}

export async function openSpools(dataDir: string): Promise<number> {
  return (await spoolSizes(dataDir)).length;
}

export async function spooledBytes(dataDir: string): Promise<number> {
  return (await spoolSizes(dataDir)).reduce((sum, size) => sum + size, 0);
}
