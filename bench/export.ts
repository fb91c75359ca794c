/** Makes an export through the API and through a shell script, and compares their objects. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import type { ExportObject } from '@tillroll/contract';
import { ExportClient } from '@tillroll/client';
import { shell } from './measure.ts';

export const FROM = Date.UTC(2026, 0, 1);
export const TO = Date.UTC(2026, 0, 31);

/** From POST to DONE, polled every 100 ms: the pause is part of what is measured. */
export async function exportOrders(client: ExportClient): Promise<ExportObject> {
  const { id } = await client.create({ type: 'ORDERS', startTime: FROM, endTime: TO });
  for (let polls = 0; polls < 6_000; polls++) {
    const exported = await client.show(id);
    if (exported.status === 'DONE') return exported;
    if (exported.status === 'FAILED' || exported.status === 'CANCELED')
      throw new Error(`export ${exported.status}`);
    await delay(100);
  }
  throw new Error('the export did not end within 10 minutes');
}

function selectOrders(merchant: string): string {
  return `SELECT object FROM tillroll.orders WHERE merchant_id = '${merchant}' AND created_time >= ${FROM} AND created_time < ${TO} ORDER BY created_time, id`;
}

/** The script that an expert would write: the same rows of the same PostgreSQL, in gzip files of 1000. */
export async function exportByShell(
  merchant: string,
  directory: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  await shell(
    `psql -qAt -c "COPY (${selectOrders(merchant)}) TO STDOUT" | split -l 1000 -a 4 -d --filter='gzip -1 > $FILE.gz' - part-`,
    env,
    directory,
  );
}

/** SHA-256 over the objects, one a line, as the export's files hold them. */
export async function digestOfExport(exported: ExportObject): Promise<string> {
  const hash = createHash('sha256');
  for (const { url } of exported.exportUrls?.elements ?? []) {
    const response = await fetch(url, { signal: AbortSignal.timeout(60_000) });
    const { elements } = (await response.json()) as { elements: unknown[] };
    // The generator writes what JSON.stringify writes, so parsing loses nothing.
    for (const element of elements) hash.update(`${JSON.stringify(element)}\n`);
  }
  return hash.digest('hex');
}

/** The same over the shell's files, with COPY's text escapes undone. */
export async function digestOfShell(directory: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of (await readdir(directory)).toSorted()) {
    const chunks: Buffer[] = [];
    for await (const chunk of createReadStream(join(directory, name)).pipe(createGunzip()))
      chunks.push(chunk as Buffer);
    // JSON has no raw control characters, so a backslash is the only thing COPY had to escape.
    hash.update(Buffer.concat(chunks).toString('utf8').replaceAll('\\\\', '\\'));
  }
  return hash.digest('hex');
}
