import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Service } from '../../src/service.ts';
import { Api, download, parseIds } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { serveHere } from './service.ts';
import { heldBy, HookedStorage, Permits } from './storages.ts';
import { gate, until } from './until.ts';

let place: Place;

beforeAll(async () => {
  place = await makePlace();
});

afterAll(async () => {
  await place.remove();
});

function line(id: string, createdTime: number, more = ''): string {
  return `{"id":${JSON.stringify(id)},"createdTime":${createdTime}${more}}`;
}

describe('a service that exports', () => {
  let service: Service & { url: string };

  beforeAll(async () => {
    service = await serveHere(place, {});
  });

  afterAll(async () => {
    await service.stop();
  });

  async function connectApi(merchant: string): Promise<Api> {
    return new Api(service.url, merchant, await place.install(merchant));
  }

  test.each([
    ['has none of them', ''],
    ['has one that is not an integer', ", 'USD'::text AS currency, 12.34::numeric AS total"],
  ])('behind a view that for totals %s: the objects, and no totals', async (_name, columns) => {
    const other = await makePlace();
    await other.seed('M1', 3);
    await other.pool.query(`
      ALTER TABLE tillroll.orders RENAME TO orders_unused;
      CREATE VIEW tillroll.orders AS
        SELECT merchant_id, id, created_time, object${columns} FROM tillroll.orders_unused`);
    const behind = await serveHere(other, {});
    try {
      const done = await new Api(behind.url, 'M1', await other.install('M1')).export(FROM, TO);
      expect(done).toMatchObject({ status: 'DONE', files: { elements: [{ objects: 3 }] } });
      expect(done).not.toHaveProperty('totals');
    } finally {
      await behind.stop();
      await other.remove();
    }
  });

  test.for([0, 1, 999, 1000, 1001, 2000])('exactly %i objects', async (count) => {
    const merchant = `count-${count}`;
    const api = await connectApi(merchant);
    const lines = Array.from({ length: count }, (_, i) =>
      line(`o-${String(i).padStart(5, '0')}`, FROM + i, `,"note":"${'x'.repeat(i % 50)}"`),
    );
    // Loaded backwards: what comes out in order was put in order.
    await place.load(merchant, lines.toReversed().join('\n'));

    const done = await api.export(FROM, TO);
    const files = await download(done);

    expect(done.status).toBe('DONE');
    expect(done.percentComplete).toBe(100);
    const sizes = Array.from({ length: Math.ceil(count / 1000) }, (_, i) =>
      Math.min(1000, count - i * 1000),
    );
    expect(done.exportUrls?.elements).toHaveLength(sizes.length);
    expect(done.files?.elements.map(({ objects }) => objects)).toEqual(sizes);
    expect(files.map((file) => file.toString())).toEqual(
      sizes.map((size, i) => `{"elements":[${lines.slice(i * 1000, i * 1000 + size).join(',')}]}`),
    );
  });

  test('objects of one createdTime come in the order of their ids as bytes', async () => {
    const api = await connectApi('ties');
    // In UTF-16 the emoji sorts before U+FF5E; a locale puts a before B, and 10 near 9.
    const ids = ['10', '9', 'A', 'B', 'Z', 'a', 'b-', 'b0', 'ba', 'z', 'é', 'ÿ', '～', '😀'];
    const expected = ids.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const mixed = [...ids.filter((_, i) => i % 2), ...ids.filter((_, i) => !(i % 2)).toReversed()];
    await place.load('ties', mixed.map((id) => line(id, FROM + 5)).join('\n'));
    await place.load('ties', `${line('zz-before', FROM + 4)}\n${line('00-after', FROM + 6)}`);

    const files = await download(await api.export(FROM, TO));

    expect(parseIds(files)).toEqual(['zz-before', ...expected, '00-after']);
  });

  test('ties that cross from one file into the next are neither doubled nor lost', async () => {
    const api = await connectApi('tied-files');
    const ids = Array.from(
      { length: 2500 },
      (_, i) => `t${String((i * 7919) % 2500).padStart(4, '0')}`,
    );
    await place.load('tied-files', ids.map((id) => line(id, FROM)).join('\n'));

    expect(parseIds(await download(await api.export(FROM, FROM + 1)))).toEqual(ids.toSorted());
  });

  test('a range holds its start and not its end', async () => {
    const api = await connectApi('edges');
    const [start, end] = [FROM + 1000, FROM + 2000];
    const times = [start - 1, start, start + 1, end - 1, end, end + 1];
    await place.load('edges', times.map((time) => line(`at-${time}`, time)).join('\n'));

    const inside = parseIds(await download(await api.export(start, end)));
    const next = parseIds(await download(await api.export(end, end + 1)));

    expect(inside).toEqual([start, start + 1, end - 1].map((time) => `at-${time}`));
    expect(next).toEqual([`at-${end}`]);
  });

  test('objects come back byte for byte as they were ingested', async () => {
    const api = await connectApi('bytes');
    const head = (i: number): string =>
      `"id":"b${String(i).padStart(2, '0')}","createdTime":${FROM + i}`;
    const lines = [
      // Every escape of JSON, in both cases of its hex digits, and half of a surrogate pair where no
      // format reads a text.
      `{${head(0)},"note":"\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u00e9 \\u00E9 \\ud83d\\ude00 \\u0000 \\u001f \\u007f","mark":"\\ud83d"}`,
      `{${head(1)},"note":"é ß € ～ 😀 𝒳 \u{10FFFF} \u2028 \u2029 \uFEFF \u007f"}`,
      `{ ${head(2)} ,\t"a" : [ 1 ,2,\t3 ] , "b":{ }  }`,
      `{${head(3)},"n":[1.0,1e3,1E+3,-0,-0.0,0.1e-7,123456789012345678901234567890,1e400,-1e-400,9007199254740993]}`,
      `{${head(4)},"same":1,"same":2,"__proto__":{"x":1},"":null}`,
      `{"z":1,${head(5)},"a":true}`,
      `{${head(6)},"deep":${'['.repeat(200)}${']'.repeat(200)}}`,
      `{${head(7)},"copy":"\\\\N \\\\. \\\\t","long":"${'0123456789abcdef'.repeat(70_000)}"}`,
      `{${head(8)},"html":"<script>&amp;</script>","percent":"%s %d $1 $$"}`,
    ];
    const ingested = await api.fetch('/orders/bulk', { method: 'POST', body: lines.join('\r\n') });
    expect(await ingested.json()).toMatchObject({ received: lines.length, inserted: lines.length });

    const [file] = await download(await api.export(FROM, TO));

    expect(file?.equals(Buffer.from(`{"elements":[${lines.join(',')}]}`))).toBe(true);
  });

  test('the manifest says the bytes, the SHA-256 and the objects of each file', async () => {
    const api = await connectApi('manifest');
    await place.seed('manifest', 2_345);
    const done = await api.export(FROM, TO);
    const files = await download(done);

    expect(files).toHaveLength(3);
    expect(done.files?.elements).toEqual(
      files.map((file) => ({
        objects: parseIds([file]).length,
        bytes: file.length,
        sha256: createHash('sha256').update(file).digest('hex'),
      })),
    );
    expect(new Set(parseIds(files)).size).toBe(2_345);
  });
});

test('what changes while an export runs does not appear, and nothing is missing or doubled', async () => {
  const merchant = 'snapshot';
  const count = 20_000;
  await place.seed(merchant, count);
  const before = await place.pool.query<{ id: string; object: string }>(
    `SELECT id, object FROM tillroll.orders WHERE merchant_id = $1 ORDER BY created_time, id`,
    [merchant],
  );
  const held = gate();
  const writing = gate();
  const storage = new HookedStorage(place, (_key, signal) => {
    writing.open();
    return heldBy(held.opened, signal);
  });
  const service = await serveHere(place, {}, {}, { storage });
  try {
    const api = new Api(service.url, merchant, await place.install(merchant));
    const { id } = await api.create(FROM, TO);
    await writing.opened;

    // Every kind of change, at both ends and all over, by another connection, committed.
    const changed = await place.pool.query(
      `UPDATE tillroll.orders SET object = '{"id":"changed"}', created_time = created_time + 1
       WHERE merchant_id = $1 AND hashtext(id) % 3 = 0`,
      [merchant],
    );
    const deleted = await place.pool.query(
      `DELETE FROM tillroll.orders WHERE merchant_id = $1 AND hashtext(id) % 3 = 1`,
      [merchant],
    );
    const added = Array.from({ length: 1000 }, (_, i) =>
      line(`added-${i}`, FROM + Math.floor(((TO - FROM) * i) / 1000)),
    );
    await place.load(merchant, added.join('\n'));
    expect(Math.min(changed.rowCount ?? 0, deleted.rowCount ?? 0)).toBeGreaterThan(1000);
    expect((await place.row(id)).status).toBe('IN_PROGRESS');
    held.open();

    const files = await download(await api.ended(id));
    const objects = before.rows.map(({ object }) => object);
    expect(files).toHaveLength(count / 1000);
    files.forEach((file, i) => {
      const expected = `{"elements":[${objects.slice(i * 1000, (i + 1) * 1000).join(',')}]}`;
      expect(file.toString() === expected, `file ${i}`).toBe(true);
    });

    // The next export shows the changes: they were there to be seen.
    const after = parseIds(await download(await api.export(FROM, TO)));
    expect(after.filter((one) => one.startsWith('added-'))).toHaveLength(1000);
    expect(after.filter((one) => one === 'changed').length).toBe(changed.rowCount);
    expect(after).toHaveLength(count + 1000 - (deleted.rowCount ?? 0));
  } finally {
    held.open();
    await service.stop();
  }
});

test('percentComplete moves, never goes down, and is 100 only when DONE', async () => {
  const merchant = 'percent';
  await place.seed(merchant, 30_000);
  const permits = new Permits();
  const storage = new HookedStorage(place, (_key, signal) => heldBy(permits.take(), signal));
  const service = await serveHere(place, {}, {}, { storage });
  try {
    const api = new Api(service.url, merchant, await place.install(merchant));
    const { id, percentComplete: first } = await api.create(FROM, TO);
    const seen: { status: string; percent: number }[] = [{ status: 'PENDING', percent: first }];
    const look = async (): Promise<number> => {
      const { status, percentComplete } = await api.read(id);
      seen.push({ status, percent: percentComplete });
      return percentComplete;
    };
    // Step by step: each time some more files may be written, the percentage must move.
    let last = first;
    for (let step = 0; step < 3; step++) {
      last = await until(`more than ${last} %`, async () => {
        const percent = await look();
        return percent > last && percent;
      });
      permits.release(6);
    }
    permits.release(1000);
    await until('DONE', async () => (await look()) === 100);

    const percents = seen.map(({ percent }) => percent);
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    expect(new Set(percents).size).toBeGreaterThanOrEqual(4);
    for (const { status, percent } of seen) expect(percent === 100).toBe(status === 'DONE');
  } finally {
    permits.release(1000);
    await service.stop();
  }
});
