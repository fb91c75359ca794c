import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Order, Payment } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import { type PullEvent, verify } from '../src/files.ts';
import { DAY_MS, MANY, TYPES } from './many-objects.ts';
import {
  contents,
  expectComplete,
  catchFailure,
  FROM,
  inflatedContents,
  makeLines,
  LONG,
  LONG_EDGES,
  LONG_FROM,
  LONG_TO,
  Scene,
  TO,
} from './scene.ts';

describe('files', () => {
  test.concurrent('with gzip inflate to the lines; also where there is nothing', async () => {
    await using scene = await Scene.begin({ ...MANY, from: LONG_FROM + 20 * DAY_MS });
    const result = await scene.pull({ ...LONG, types: TYPES, gzip: true });
    expect(result.receipt.files[0]?.objects).toBe(0);
    expect(await inflatedContents(scene.out)).toEqual(
      makeLines(scene.fake, TYPES, LONG_FROM, LONG_TO),
    );
    expect(await verify(scene.out)).toMatchObject({ complete: true, faults: [] });
  });

  test.concurrent('of a month of 31 days come from two exports', async () => {
    const span = { from: Date.UTC(2026, 0, 1), to: Date.UTC(2026, 3, 1) };
    await using scene = await Scene.begin({ ...span, orders: 300 });
    const { receipt } = await expectComplete(
      scene,
      scene.pull(span),
      makeLines(scene.fake, ['ORDERS'], span.from, span.to),
    );
    expect(receipt.files.map(({ path, exports }) => [path, exports.length])).toEqual([
      ['orders/2026-01.jsonl', 2],
      ['orders/2026-02.jsonl', 1],
      ['orders/2026-03.jsonl', 2],
    ]);
    const [first, second] = scene.fake.exports;
    expect(first?.request.endTime).toBe(Date.UTC(2026, 0, 16));
    expect(second?.request.startTime).toBe(Date.UTC(2026, 0, 16));
  });

  test.concurrent("are named after the months of the directory's zone", async () => {
    const timezone = 'America/New_York';
    await using scene = await Scene.begin({ ...LONG, orders: 240 });
    const { receipt } = await scene.pull({ from: '2026-01-20', to: '2026-03-10', timezone });
    const edges = [Date.UTC(2026, 0, 20, 5), Date.UTC(2026, 1, 1, 5), Date.UTC(2026, 2, 1, 5)];
    // Summer time began on 8 March.
    const ends = [...edges.slice(1), Date.UTC(2026, 2, 10, 4)];
    expect(receipt.files.map(({ path, covers }) => [path, covers])).toEqual(
      edges.map((startTime, i) => [
        `orders/2026-0${i + 1}.jsonl`,
        [{ startTime, endTime: ends[i] }],
      ]),
    );
    for (const [i, { objects }] of receipt.files.entries())
      expect(objects).toBe(scene.fake.objects('ORDERS', edges[i], ends[i]).length);
  });
});

describe('the receipt', () => {
  test('adds up, by a sum of its own', async () => {
    await using scene = await Scene.begin(MANY);
    const { receipt } = await scene.pull({ ...LONG, types: TYPES });
    expect(JSON.parse(await readFile(join(scene.out, 'receipt.json'), 'utf8'))).toEqual(receipt);

    const orders = scene.fake.objects('ORDERS').map((text) => JSON.parse(text) as Order);
    const payments = scene.fake.objects('PAYMENTS').map((text) => JSON.parse(text) as Payment);
    const sum = (values: (number | undefined)[]): number =>
      Number(values.reduce((all, value) => all + BigInt(value ?? 0), 0n));
    const listRefunds = (objects: readonly { refunds?: { elements: { amount?: number }[] } }[]) => {
      const all = objects.flatMap(({ refunds }) => refunds?.elements ?? []);
      return { refunds: all.length, refundAmount: sum(all.map(({ amount }) => amount)) };
    };
    const total = sum(orders.map((order) => order.total));
    const refunded = listRefunds(orders);
    expect(receipt.totals.orders).toEqual([
      {
        currency: 'USD',
        objects: 3000,
        total,
        ...refunded,
        net: total - refunded.refundAmount,
        uncounted: 0,
      },
    ]);
    expect(receipt.totals.payments).toEqual(
      ['FAIL', 'SUCCESS'].map((result) => {
        const of = payments.filter((payment) => payment.result === result);
        const amount = sum(of.map((payment) => payment.amount));
        const refunds = listRefunds(of);
        return {
          currency: 'USD',
          result,
          objects: of.length,
          amount,
          ...refunds,
          net: (result === 'SUCCESS' ? amount : 0) - refunds.refundAmount,
          uncounted: 0,
          tipAmount: sum(of.map(({ tipAmount }) => tipAmount)),
          taxAmount: sum(of.map(({ taxAmount }) => taxAmount)),
        };
      }),
    );
    const january = orders.filter(({ createdTime }) => createdTime < LONG_EDGES[0]);
    const amount = sum(january.map((order) => order.total));
    const { refundAmount } = listRefunds(january);
    expect(receipt.months.filter(({ type }) => type === 'ORDERS')[0]).toEqual({
      type: 'ORDERS',
      month: '2026-01',
      currency: 'USD',
      objects: january.length,
      amount,
      refundAmount,
      net: amount - refundAmount,
    });
    expect(receipt.files).toHaveLength(6);
    for (const file of receipt.files) {
      const [{ startTime, endTime } = { startTime: 0, endTime: 0 }, ...others] = file.covers;
      expect(others).toEqual([]);
      const texts = scene.fake.objects(file.type, startTime, endTime);
      const times = texts.map((text) => (JSON.parse(text) as Order).createdTime);
      expect(file).toMatchObject({
        objects: texts.length,
        outside: 0,
        firstCreatedTime: times[0],
        lastCreatedTime: times.at(-1),
      });
      expect(file.exports).toHaveLength(1);
    }
    expect(receipt.source).toEqual({ url: scene.fake.url, merchant: 'M1' });
    expect(JSON.stringify(receipt)).not.toContain(scene.fake.token);
  });
});

describe('several exports at once', () => {
  test.concurrent('no more than the fake server takes, and the same result', async () => {
    await using scene = await Scene.begin({
      ...LONG,
      orders: 240,
      payments: 200,
      ready: { ms: 300 },
    });
    const types = TYPES;
    const pulled = scene.pull({ ...LONG, types, concurrency: 2 });
    await expectComplete(scene, pulled, makeLines(scene.fake, types, LONG_FROM, LONG_TO));
    expect(scene.waits).toEqual([]);
  });

  test.concurrent('payments come one by one, too', async () => {
    await using scene = await Scene.begin({ ...LONG, orders: 20, payments: 150 });
    const payments: Payment[] = [];
    for await (const payment of scene.client().payments(LONG)) payments.push(payment);
    expect(payments.map((payment) => JSON.stringify(payment))).toEqual(
      scene.fake.objects('PAYMENTS'),
    );
  });
});

describe('a pull', () => {
  test.concurrent('of 3,000 files is complete', { timeout: 120_000 }, async () => {
    await using scene = await Scene.begin({ orders: 3000, perFile: 1 });
    await expectComplete(scene, scene.pull());
    expect(scene.count('file')).toBe(3000);
  });

  test.concurrent('beside another one of the same client is told its own waits alone', async () => {
    await using scene = await Scene.begin({
      payments: 45,
      faults: { status: { on: 'file', status: 500, per: 'path', times: 1 } },
    });
    const client = scene.client();
    const waits: Record<string, string[]> = { ORDERS: [], PAYMENTS: [] };
    const pulls = (['ORDERS', 'PAYMENTS'] as const).map((type) =>
      client.pull({
        types: [type],
        from: FROM,
        to: TO,
        out: join(scene.directory, type),
        onProgress: (event) => {
          if (event.event === 'waiting') waits[type]?.push(event.message);
        },
      }),
    );
    const results = await Promise.all(pulls);
    for (const { complete, receipt } of results) {
      expect(complete).toBe(true);
      const [file] = receipt.files;
      const told = waits[file?.type ?? ''] ?? [];
      expect(told.length).toBeGreaterThan(0);
      for (const message of told) expect(message).toContain(`of export ${file?.exports[0]}:`);
    }
  });

  test.concurrent('of what is there needs no server', async () => {
    await using scene = await Scene.begin();
    await scene.pull();
    const before = await contents(scene.out);
    await scene.fake.close();
    expect(await scene.pull()).toMatchObject({ complete: true, failed: [] });
    expect(await contents(scene.out)).toEqual(before);
  });

  test.concurrent('that ends as a whole says so of the month that ended it alone', async () => {
    await using scene = await Scene.begin({
      ...MANY,
      faults: { status: { on: 'create', status: 403 } },
    });
    const failed: string[] = [];
    const onProgress = (event: PullEvent): void => {
      if (event.event === 'month' && event.month.stage === 'failed')
        failed.push(`${event.month.name}: ${event.month.message}`);
    };
    await catchFailure(scene.pull({ ...LONG, concurrency: 3, onProgress }), 'REFUSED');
    expect(failed).toEqual([expect.stringMatching(/^orders\/2026-01: .*403/)]);
  });
});
