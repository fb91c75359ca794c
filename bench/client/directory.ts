/** Prepares directories for the bench of the client, and compares them. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExportClient } from '@tillroll/client';
import type { ExportObject } from '@tillroll/contract';
import { emptyState, type State } from '../../packages/client/src/directory/state.ts';
import { exportRanges, Zone } from '../../packages/client/src/time/zone.ts';
import { FROM, TO } from '../export.ts';
import type { Connection } from './command.ts';

export const SPAN = [
  '--from',
  new Date(FROM).toISOString(),
  '--to',
  new Date(TO).toISOString(),
] as const;

/** Makes the exports that a pull of the orders asks for. */
export async function doneExports(connection: Connection): Promise<ExportObject[]> {
  const client = new ExportClient(connection);
  const done: ExportObject[] = [];
  for (const range of exportRanges({ startTime: FROM, endTime: TO }, new Zone('UTC'))) {
    const { id } = await client.create({ type: 'ORDERS', ...range });
    done.push(await client.wait(id));
  }
  return done;
}

/** Writes a directory whose pull ended when all exports were DONE, and nothing was downloaded yet. */
export async function breakOff(
  out: string,
  { url, merchant }: Connection,
  exported: readonly ExportObject[],
): Promise<void> {
  const state: State = {
    ...emptyState({
      source: { url, merchant },
      format: 'jsonl',
      gzip: false,
      columns: null,
      csvBom: false,
      timezone: 'UTC',
      fileMode: 0o600,
    }),
    types: {
      ORDERS: {
        wanted: { startTime: FROM, endTime: TO },
        refreshFrom: null,
        months: {},
        exports: exported.map(({ startTime, endTime, id }) => ({ startTime, endTime, id })),
      },
    },
  };
  await mkdir(join(out, '.tillroll'), { recursive: true, mode: 0o700 });
  await writeFile(join(out, '.tillroll/state.json'), JSON.stringify(state), { mode: 0o600 });
}

/** Computes a SHA-256 over the names and contents of all files of data. */
export async function digestOfDirectory(out: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(out, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('.tillroll'));
  for (const path of files.toSorted()) {
    // The receipt names the exports, and another run has others.
    if (/(receipt\.json|SHA256SUMS)$/.test(path)) continue;
    hash.update(path.slice(out.length));
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
