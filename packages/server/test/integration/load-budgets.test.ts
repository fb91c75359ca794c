import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LOCKS } from '../../src/database/locks.ts';
import { createPool } from '../../src/database/pool.ts';
import { NoRoom, Purged, TooLarge } from '../../src/ingest/errors.ts';
import { beginLoad, Loader, type LoadLimits, type Upload } from '../../src/ingest/load.ts';
import type { Service } from '../../src/service.ts';
import { FROM, makePlace, type Place } from './place.ts';
import { command } from './process.ts';
import { serveHere } from './service.ts';
import { openSpools, spooledBytes } from './spools.ts';
import { type Gate, gate, until } from './until.ts';

let place: Place;

let service: Service & { url: string };

beforeAll(async () => {
  place = await makePlace();
  service = await serveHere(place, { work: false });
});

afterAll(async () => {
  await service.stop();
  await place.remove();
});

const order = (id: string, more = ''): string =>
  `{"id":"${id}","createdTime":${FROM},"modifiedTime":${FROM}${more}}`;

async function count(merchant: string): Promise<number> {
  const { rows } = await place.pool.query<{ count: number }>(
    `SELECT (SELECT count(*) FROM tillroll.orders WHERE merchant_id = $1)::int
          + (SELECT count(*) FROM tillroll.payments WHERE merchant_id = $1)::int AS count`,
    [merchant],
  );
  return rows[0]?.count ?? -1;
}

describe('budgets', () => {
  const LIMITS: LoadLimits = {
    maxUploads: 2,
    maxSpoolBytes: 64 * 1024 ** 2,
    minFreeBytes: 0,
    uploadWaitMs: 300,
  };

  async function withLoader(
    limits: Partial<LoadLimits>,
    work: (start: (upload: Partial<Upload>) => Promise<unknown>) => Promise<void>,
    connections = 3,
  ): Promise<void> {
    const pool = createPool({ connectionString: place.databaseUrl }, connections, () => undefined);
    const loader = new Loader(pool, join(place.dataDir, 'spool'), { ...LIMITS, ...limits });
    try {
      await work(async (upload) => {
        const merchantId = upload.merchantId ?? 'budget';
        return loader.load({
          ...(await beginLoad(place.pool, merchantId)),
          merchantId,
          type: 'ORDERS',
          body: streamBody(order('A')),
          encoding: 'identity',
          install: null,
          ...upload,
        });
      });
    } finally {
      await loader.close();
      await pool.end();
    }
  }

  async function* streamBody(text: string, until?: Gate): AsyncGenerator<Buffer> {
    yield Buffer.from(text);
    await until?.opened;
  }

  test('one app never holds all turns; above the most there may be: 503 with a reason', async () => {
    const hold = gate();
    await withLoader({ maxUploads: 2 }, async (start) => {
      const slow = { body: streamBody(order('A'), hold), install: null };
      const first = start({ ...slow, merchantId: 'slow1' });
      await until('it is being read', async () => (await openSpools(place.dataDir)) > 0);
      // The other turn is for another app, whatever the merchant.
      const refused = await start({ merchantId: 'slow2' }).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(NoRoom);
      expect(refused).toMatchObject({
        message: expect.stringMatching(/^2 uploads at once/) as string,
        retryAfterSeconds: 5,
      });
      const token = await place.install('fast');
      const { rows } = await place.pool.query<{ id: string }>(
        "SELECT id FROM tillroll.installs WHERE merchant_id = 'fast'",
      );
      expect(token).toBeTruthy();
      const install = { id: rows[0]?.id ?? '', appId: 'other' };
      expect(await start({ merchantId: 'fast', install })).toMatchObject({ inserted: 1 });
      hold.open();
      expect(await first).toMatchObject({ inserted: 1 });
    });
  });

  test('bytes of spool: the upload that goes too far is refused, and its spool is free again', async () => {
    const lines = (from: number, bytes: number): Buffer =>
      Buffer.from(
        Array.from({ length: bytes / 10_000 }, (_, i) =>
          order(`s${from + i}`, `,"pad":"${'x'.repeat(9_900)}"`),
        ).join('\n'),
      );
    const MB = 1_000_000;
    await withLoader({ maxUploads: 3, maxSpoolBytes: 10 * 1024 ** 2 }, async (start) => {
      const alone = await start({ body: streamBody(lines(0, 8 * MB).toString()) }).catch(
        (e: unknown) => e,
      );
      expect(alone).toBeInstanceOf(TooLarge);
      expect((alone as Error).message).toMatch(/^the upload takes more than 5 MiB of this machine/);
      const hold = gate();
      const first = start({
        body: streamBody(lines(0, 3 * MB).toString(), hold),
        merchantId: 'first',
      });
      await until('it is spooled', async () => (await spooledBytes(place.dataDir)) > 2.4 * MB);
      const same = await start({
        body: streamBody(lines(0, 4 * MB).toString()),
        merchantId: 'first',
      }).catch((error: unknown) => error);
      expect(same).toBeInstanceOf(NoRoom);
      expect((same as Error).message).toMatch(/this app's uploads for this merchant hold 5 MiB/);
      hold.open();
      expect(await first).toMatchObject({ inserted: 300 });
      expect(await start({ body: streamBody(lines(0, 4 * MB).toString()) })).toMatchObject({
        inserted: 400,
      });
      expect(await openSpools(place.dataDir)).toBe(0);
    });
    expect(await readdir(join(place.dataDir, 'spool'))).toEqual([]);
  });

  test('a disk that is nearly full takes nothing in', async () => {
    await withLoader({ minFreeBytes: 2 ** 60 }, async (start) => {
      const error = await start({}).catch((cause: unknown) => cause);
      expect(error).toMatchObject({ name: 'NoRoom', retryAfterSeconds: 60 });
      expect((error as Error).message).toMatch(/disk of this service is nearly full/);
    });
    const full = await serveHere(place, { work: false }, { TILLROLL_MIN_FREE_DISK: '999999GiB' });
    try {
      const token = await place.install('full');
      const response = await fetch(`${full.url}/v3/merchants/full/orders/bulk`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: order('A'),
      });
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('60');
      expect(await response.json()).toEqual({
        message: '503 Service Unavailable',
        details: expect.stringMatching(/nearly full/) as string,
      });
    } finally {
      await full.stop();
    }
  });

  test("merges of one merchant wait without a connection, another merchant's goes by", async () => {
    const holder = new pg.Client(place.databaseUrl);
    await holder.connect();
    try {
      // Takes the lock that another process holds while it merges.
      const lock = [LOCKS.MERGE, 'tillroll.orders', 'busy'];
      await holder.query("SELECT pg_advisory_lock($1, hashtext($2 || ' ' || $3))", lock);
      // One connection: whoever waits with it would stop the others.
      const work = async (start: (upload: Partial<Upload>) => Promise<unknown>): Promise<void> => {
        const waiting = [1, 2, 3].map((i) =>
          start({ merchantId: 'busy', body: streamBody(order(`busy${i}`)) }),
        );
        await until('they are checked', async () => (await openSpools(place.dataDir)) === 3);
        expect(await start({ merchantId: 'idle' })).toMatchObject({ inserted: 1 });
        expect(await count('busy')).toBe(0);
        await holder.query("SELECT pg_advisory_unlock($1, hashtext($2 || ' ' || $3))", lock);
        for (const merged of waiting) expect(await merged).toMatchObject({ inserted: 1 });
      };
      await withLoader({ maxUploads: 8, uploadWaitMs: 10_000 }, work, 1);
    } finally {
      await holder.end();
    }
  });

  test('a loader that closes refuses what is under way, and waits for none', async () => {
    const hold = gate();
    let loading: Promise<unknown> = Promise.resolve();
    await withLoader({}, async (start) => {
      loading = start({ merchantId: 'closing', body: streamBody(order('A'), hold) }).catch(
        (e: unknown) => e,
      );
      await until('it is being read', async () => (await openSpools(place.dataDir)) > 0);
    });
    expect(await loading).toBeInstanceOf(NoRoom);
    hold.open();
    expect(await count('closing')).toBe(0);
  });

  test('a purge between two uploads refuses neither', async () => {
    await withLoader({}, async (start) => {
      const hold = gate();
      const before = start({ merchantId: 'between', body: streamBody(order('A'), hold) }).catch(
        (error: unknown) => error,
      );
      await until('it is being read', async () => (await openSpools(place.dataDir)) > 0);
      await command(['purge', '--merchant', 'between'], place.environment());
      await command(['purge', '--merchant', 'between'], place.environment());
      hold.open();
      expect(await before).toBeInstanceOf(Purged);
      expect(await start({ merchantId: 'between' })).toMatchObject({ inserted: 1 });
    });
  });
});
