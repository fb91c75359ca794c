/** Exports onto a disk that is nearly full, and onto one that becomes so. */

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { canMount, mountSmall, resize } from '../small-disk.ts';
import { Api, download, parseIds } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { serveHere } from './service.ts';
import { until } from './until.ts';

const MIB = 1024 * 1024;

interface Fault {
  status: string;
  errors: number;
  code: string | null;
  error: string | null;
}

async function readFault(place: Place, id: string): Promise<Fault> {
  const { rows } = await place.pool.query<Fault>(
    `SELECT status, errors, last_error_code AS code, last_error AS error
     FROM tillroll.exports WHERE id = $1`,
    [id],
  );
  const [row] = rows;
  if (!row) throw new Error(`no export ${id}`);
  return row;
}

/** Runs a service whose files are on a disk of so many MiB, of which so many must stay free. */
async function onSmallDisk(
  size: number,
  minFree: number,
  run: (place: Place, api: Api, files: string) => Promise<void>,
): Promise<void> {
  const place = await makePlace();
  const files = join(place.dataDir, 'files');
  await mkdir(files);
  const unmount = mountSmall(files, size);
  try {
    const settings = { TILLROLL_MIN_FREE_DISK: `${minFree}MiB` };
    const service = await serveHere(place, {}, settings, { retryDelayMs: () => 1000 });
    try {
      await run(place, new Api(service.url, 'M1', await place.install('M1')), files);
    } finally {
      await service.stop();
    }
  } finally {
    unmount();
    await place.remove();
  }
}

test.skipIf(!canMount)(
  'below the least free space an attempt does not begin; with room again the export ends',
  async () => {
    await onSmallDisk(8, 4, async (place, api, files) => {
      await place.seed('M1', 1200);
      await writeFile(join(files, 'filler'), Buffer.alloc(5 * MIB));
      const { id } = await api.create(FROM, TO);
      await until('two attempts', async () => (await place.row(id)).errors >= 2);
      expect(await readFault(place, id)).toMatchObject({
        code: 'STORAGE_FULL',
        error: expect.stringMatching(/has [0-9] MiB free, and TILLROLL_MIN_FREE_DISK keeps 4 MiB/),
      });
      expect(await place.files()).toEqual([]);

      await rm(join(files, 'filler'));
      const done = await api.ended(id);
      expect(done.status).toBe('DONE');
      expect(parseIds(await download(done))).toHaveLength(1200);
    });
  },
);

test.skipIf(!canMount)(
  'an attempt ends when the space runs out on the way, and leaves no files',
  async () => {
    await onSmallDisk(9, 7, async (place, api, files) => {
      // About 8 MB as stored: there is room for it, and not for what must stay free beside it.
      await place.seed('M1', 36_000);
      const { id } = await api.create(FROM, TO);
      const fault = await until('an attempt has failed', async () => {
        const seen = await readFault(place, id);
        return seen.errors >= 1 && seen;
      });
      expect(fault).toMatchObject({
        code: 'STORAGE_FULL',
        error: expect.stringContaining('TILLROLL_MIN_FREE_DISK keeps 7 MiB'),
      });

      resize(files, 64);
      const done = await api.ended(id);
      expect(done.status).toBe('DONE');
      expect(parseIds(await download(done))).toHaveLength(36_000);
      const { attempt } = await place.row(id);
      expect(attempt).toBeGreaterThan(1);
      await until('only the files of the last attempt are left', async () =>
        (await place.files()).every((file) => file.startsWith(`${id}/${attempt}/`)),
      );
    });
  },
);

test.skipIf(!canMount)('a disk that is full to its last byte has the same code', async () => {
  await onSmallDisk(1, 0, async (place, api, files) => {
    await place.seed('M1', 12_000);
    const { id } = await api.create(FROM, TO);
    await until('an attempt has failed', async () => (await place.row(id)).errors >= 1);
    expect(await readFault(place, id)).toMatchObject({
      code: 'STORAGE_FULL',
      error: expect.stringContaining('ENOSPC'),
    });
    resize(files, 64);
    expect((await api.ended(id)).status).toBe('DONE');
  });
});
