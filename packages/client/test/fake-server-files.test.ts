import { createHash } from 'node:crypto';
import type { Order } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import {
  exported,
  fakeServer,
  firstUrl,
  FROM,
  fetchOrders,
  plain,
  texts,
  listUrls,
} from './fake-server-calls.ts';
import { type FaultKinds, type Faults, pretty } from './fake-server/index.ts';

describe('faults of the objects', () => {
  const at = (id: string, createdTime: number): string =>
    JSON.stringify({ id, createdTime, modifiedTime: 9_000_000 });
  const five = [1, 2, 3, 4, 5].map((time) => at(`T${time}`, time));

  async function idsWith(faults: Faults, start = 2, end = 4): Promise<string[][]> {
    const fake = await fakeServer({ objects: { ORDERS: five }, perFile: 2, faults });
    const files = await texts(await exported(fake, 'ORDERS', start, end));
    return files.map((text) =>
      (JSON.parse(text) as { elements: Order[] }).elements.map((one) => one.id),
    );
  }

  test('bounds, duplicates, none at all, no order', async () => {
    expect(await idsWith({})).toEqual([['T2', 'T3']]);
    expect(await idsWith({ bounds: { how: 'inclusive' } })).toEqual([['T2', 'T3'], ['T4']]);
    expect(await idsWith({ bounds: { how: 'exclusive-start' } })).toEqual([['T3', 'T4']]);
    expect(await idsWith({ duplicate: { how: 'in-file' } })).toEqual([['T2', 'T3', 'T2']]);
    expect(await idsWith({ duplicate: { how: 'across-files' } })).toEqual([['T2', 'T3'], ['T2']]);
    expect(await idsWith({ duplicate: { how: 'across-exports' } })).toEqual([['T1', 'T2'], ['T3']]);
    expect(await idsWith({ empty: {} })).toEqual([]);
    expect(await idsWith({ empty: { how: 'empty-file' } })).toEqual([[]]);
    const unsorted = (await idsWith({ unsorted: {} }, 1, 6)).flat();
    expect(unsorted.toSorted()).toEqual(['T1', 'T2', 'T3', 'T4', 'T5']);
    expect(unsorted).not.toEqual(unsorted.toSorted());
  });

  test('at the edge: newer or older than elsewhere', async () => {
    const fake = await fakeServer({ objects: { ORDERS: five } });
    for (const [how, sign] of [
      ['newer', 1],
      ['older', -1],
    ] as const) {
      fake.set({ edge: { how }, bounds: { how: 'inclusive' } });
      const orders = await fetchOrders(await exported(fake, 'ORDERS', 2, 4));
      expect(orders.map((one) => one.modifiedTime - 9_000_000)).toEqual([3_600_000 * sign, 0, 0]);
    }
  });

  test('huge and broken ones', async () => {
    const fake = await fakeServer();
    fake.set({ huge: {} });
    const [first] = await fetchOrders(await exported(fake));
    expect(Buffer.byteLength(first?.note ?? '')).toBe(5_000_000);

    const serve = async (broken: FaultKinds['broken']) => {
      fake.set({ broken });
      return Buffer.from(await (await plain(await firstUrl(fake))).arrayBuffer());
    };
    const element = async (broken: FaultKinds['broken']): Promise<unknown> =>
      (JSON.parse((await serve(broken)).toString()) as { elements: unknown[] }).elements[0];
    expect(await element({ how: 'no-id' })).not.toHaveProperty('id');
    expect(await element({ how: 'no-createdTime' })).not.toHaveProperty('createdTime');
    expect(await element({ how: 'no-modifiedTime' })).not.toHaveProperty('modifiedTime');
    expect(await element({ how: 'id-number' })).toHaveProperty('id', 12345);
    expect(await element({ how: 'id-empty' })).toHaveProperty('id', '');
    expect(await element({ how: 'id-path' })).toHaveProperty('id', '../../../tmp/x');
    expect(await element({ how: 'createdTime-string' })).toHaveProperty('createdTime', `${FROM}`);
    expect(await element({ how: 'createdTime-far' })).toHaveProperty('createdTime', 1e300);
    expect(await element({ how: 'null' })).toBeNull();
    expect(await element({ how: 'number' })).toBe(42);
    expect(await element({ how: 'string' })).toBeTypeOf('string');
    expect(await element({ how: 'array' })).toEqual([]);
    expect((await serve({ how: 'deep' })).includes('['.repeat(100_000))).toBe(true);
    expect((await serve({ how: 'proto' })).includes('"__proto__":{')).toBe(true);
    expect((await serve({ how: 'invalid-utf8' })).includes(0xff)).toBe(true);
    for (const how of ['raw-newline', 'unbalanced'] as const) {
      const text = (await serve({ how })).toString();
      expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
    }
  });
});

describe('faults of the files', () => {
  test('layouts: other JSON, or none', async () => {
    const fake = await fakeServer();
    const right = await (await plain(await firstUrl(fake))).text();
    const served = async (layout: FaultKinds['layout']) => {
      fake.set({ layout });
      const done = await exported(fake);
      const bytes = Buffer.from(await (await plain(listUrls(done)[0] as string)).arrayBuffer());
      const sum = createHash('sha256').update(bytes).digest('hex');
      expect(done.files?.elements[0]?.sha256, 'files describes what is served').toBe(sum);
      return bytes.toString();
    };
    const spread = await served({ how: 'pretty' });
    expect(spread.split('\n').length).toBeGreaterThan(200);
    expect(JSON.parse(spread)).toEqual(JSON.parse(right));
    expect(JSON.parse(await served({ how: 'lines' }))).toEqual(JSON.parse(right));
    expect(JSON.parse(await served({ how: 'more-members' }))).toMatchObject(
      JSON.parse(right) as object,
    );
    expect((await served({ how: 'bom' })).charCodeAt(0)).toBe(0xfeff);
    expect(await served({ how: 'no-end' })).toBe(right.slice(0, -2));
    expect(await served({ how: 'garbage-after' })).toMatch(/\]\}\n<!--/);
    expect(await served({ how: 'two-documents' })).toBe(right + right);
    expect(await served({ how: 'trailing-comma' })).toMatch(/,\]\}$/);
    expect(await served({ how: 'bare-array' })).toMatch(/^\[\{/);
    expect(await served({ how: 'other-member' })).toMatch(/^\{"items":\[/);
    expect(await served({ how: 'elements-object' })).toBe('{"elements":{}}');
    expect(await served({ how: 'elements-twice' })).toMatch(/^\{"elements":\[\],"elements":\[\{/);
    expect(await served({ how: 'nothing' })).toBe('');
  });

  test('pretty leaves strings and numbers alone', () => {
    const text = String.raw`{"a{":"x,[\"}:\\","b":[1.0,-0,1e5,{}],"c":"\\"}`;
    expect(pretty(text).replaceAll(/\s+(?=(?:[^"]|"(?:[^"\\]|\\.)*")*$)/g, '')).toBe(text);
  });

  test('altered on the way; ranges that are not what was asked for', async () => {
    const fake = await fakeServer();
    const url = await firstUrl(fake);
    const right = Buffer.from(await (await plain(url)).arrayBuffer());
    fake.set({ altered: { times: 1 } });
    const altered = Buffer.from(await (await plain(url)).arrayBuffer());
    expect(altered.length).toBe(right.length);
    expect(altered.filter((byte, i) => byte !== right[i])).toHaveLength(1);
    expect(JSON.parse(altered.toString())).toHaveProperty('elements.9');
    expect(Buffer.from(await (await plain(url)).arrayBuffer())).toEqual(right);

    const part = async (how: 'ignored' | 'from-start' | 'lying' | 'refused') => {
      fake.set({ range: { how } });
      const response = await plain(url, { range: 'bytes=10-' });
      const bytes = Buffer.from(await response.arrayBuffer());
      return { status: response.status, range: response.headers.get('content-range'), bytes };
    };
    expect(await part('ignored')).toEqual({ status: 200, range: null, bytes: right });
    const size = right.length;
    expect(await part('from-start')).toEqual({
      status: 206,
      range: `bytes 0-${size - 1}/${size}`,
      bytes: right,
    });
    const lying = await part('lying');
    expect([lying.status, lying.range]).toEqual([206, `bytes 10-${size - 1}/${size}`]);
    expect(lying.bytes).not.toEqual(right.subarray(10));
    expect((await part('refused')).status).toBe(416);
    fake.set({ range: { how: 'changed' } });
    const tags = new Set([1, 2].map(async () => (await plain(url)).headers.get('etag')));
    expect(new Set(await Promise.all(tags)).size).toBe(2);
  });
});
