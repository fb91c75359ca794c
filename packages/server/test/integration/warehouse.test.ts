/** A file of JSON lines, as it is downloaded, is read by DuckDB: objects, totals and gzip. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { ExportObject } from '@tillroll/contract';
import { expect, test } from 'vitest';
import { Api } from './api.ts';
import { FROM, makePlace, TO } from './place.ts';
import { serveHere } from './service.ts';

test('one download of a month, loaded as it is: the totals agree', async () => {
  const place = await makePlace();
  await place.seed('M1', 5000);
  const service = await serveHere(place, {});
  try {
    const api = new Api(service.url, 'M1', await place.install('M1'));
    const body = { type: 'ORDERS', startTime: FROM, endTime: TO, format: 'jsonl' };
    const created = await api.fetch('/exports', {
      method: 'POST',
      body: JSON.stringify({ ...body, objectsPerFile: 1_000_000 }),
    });
    const done = await api.ended(((await created.json()) as ExportObject).id);
    const [url] = done.exportUrls?.elements ?? [];
    const response = await fetch(url?.url ?? '', { headers: { 'accept-encoding': 'identity' } });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const file = join(place.dataDir, 'orders.jsonl');
    await writeFile(file, Buffer.from(await response.arrayBuffer()));
    const duckdb = await DuckDBInstance.create();
    const connection = await duckdb.connect();
    const result = await connection.runAndReadAll(
      `SELECT currency, count(*)::INT AS objects, sum(total)::BIGINT::VARCHAR AS total
       FROM read_json('${file}') GROUP BY currency ORDER BY currency`,
    );
    connection.closeSync();
    const expected = (done.totals?.elements ?? []).map(({ currency, objects, total }) => ({
      currency,
      objects,
      total: String(total),
    }));
    expect(result.getRowObjects()).toEqual(expected);
    expect(expected).toHaveLength(1);
  } finally {
    await service.stop();
    await place.remove();
  }
});
