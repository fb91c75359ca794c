import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cells, type ExportObject } from '@tillroll/contract';
import { ExportClient } from '@tillroll/client';
import { FROM, TO } from '../export.ts';
import type { Connection } from './command.ts';

export const SPAN = [
  '--from',
  new Date(FROM).toISOString(),
  '--to',
  new Date(TO).toISOString(),
] as const;

/** The exports that a pull of the orders asks for, made beforehand. */
export async function doneExports(connection: Connection): Promise<ExportObject[]> {
  const client = new ExportClient(connection);
  const done: ExportObject[] = [];
  for (const range of cells({ startTime: FROM, endTime: TO })) {
    const { id } = await client.create({ type: 'ORDERS', ...range });
    done.push(await client.wait(id));
  }
  return done;
}

/** A directory whose pull was broken off when all exports were DONE, and nothing was downloaded yet. */
export async function brokenOff(
  out: string,
  { url, merchant }: Connection,
  exported: readonly ExportObject[],
): Promise<void> {
  const head = { source: { url, merchant }, format: 'jsonl', gzip: false, timezone: 'UTC' };
  const lines = [
    { is: 'directory', version: 1, ...head },
    ...exported.map(({ id, startTime, endTime }) => ({
      is: 'export',
      range: `ORDERS/${startTime}-${endTime}`,
      id,
    })),
  ];
  await mkdir(join(out, '.tillroll'), { recursive: true });
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  await writeFile(join(out, '.tillroll', 'state.jsonl'), text);
}

/** SHA-256 over the names and contents of all that a pull hands over. */
export async function digestOfDirectory(out: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(out, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('.tillroll'));
  for (const path of files.toSorted()) {
    // The receipt names the exports, and another run has others.
    if (path.endsWith('receipt.json')) continue;
    hash.update(path.slice(out.length));
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
