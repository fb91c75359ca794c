import http from 'node:http';
import { readdir, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { LOCKS } from '../../src/database/locks.ts';
import { createPool } from '../../src/database/pool.ts';
import { NoRoom, Purged, TooLarge } from '../../src/ingest/errors.ts';
import { beginLoad, Loader, type LoadLimits, type Upload } from '../../src/ingest/load.ts';
import type { Service } from '../../src/service.ts';
import { holdHalfWay } from './held-source.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { command, endChildren } from './process.ts';
import { serveHere } from './service.ts';
import { gate, until, type Gate } from './until.ts';

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
afterEach(endChildren);

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

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
}

/** An upload whose body is written by hand. */
function upload(
  merchant: string,
  token: string,
  path = 'orders',
  headers: Record<string, string> = {},
): { request: http.ClientRequest; answer: Promise<Answer> } {
  const request = http.request(new URL(`/v3/merchants/${merchant}/${path}/bulk`, service.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
  const answer = new Promise<Answer>((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
  });
  return { request, answer };
}

function send(merchant: string, token: string, body: string | Buffer, headers = {}, path?: string) {
  const { request, answer } = upload(merchant, token, path, headers);
  request.end(body);
  return answer;
}

describe('what was found and what to send, over HTTP and from a file', () => {
  const A = gzipSync(`${order('A')}\n`);
  const B = gzipSync(`${order('B')}\n`);
  const padded = Buffer.concat([A, Buffer.alloc(512), B, Buffer.alloc(512)]);

  test('gzip with zero bytes between and behind its members: both records, by both ways', async () => {
    const token = await place.install('padded');
    const answer = await send('padded', token, padded, { 'content-encoding': 'gzip' });
    expect(JSON.parse(answer.text)).toMatchObject({ received: 2, inserted: 2 });
    const file = join(place.dataDir, 'padded.gz');
    await writeFile(file, padded);
    const printed = await command(
      ['load', file, '--merchant', 'padded', '--type', 'ORDERS'],
      place.environment(),
    );
    expect(printed).toBe('ORDERS: 2 received, 0 inserted, 0 updated, 2 unchanged, 0 stale');
  });

  test.each<[string, string | Buffer, RegExp]>([
    [
      'a member twice',
      `${order('A', ',"total":100,"total":200')}\n${order('B')}`,
      /^line 1: total stands twice/,
    ],
    [
      'a float',
      `${order('A')}\n${order('B', ',"total":1.25e3')}`,
      /^line 2: total must be a whole number/,
    ],
    [
      '600 levels',
      `${order('A')}\n${order('B', `,"x":${'['.repeat(600)}${']'.repeat(600)}`)}`,
      /^line 2: .*nested deeper than 500/,
    ],
    [
      'seconds',
      `{"id":"A","createdTime":1767225601}`,
      /^line 1: createdTime .* looks like seconds/,
    ],
    ['CR alone', `${order('A')}\r${order('B')}\r`, /^line 1: .*carriage return alone/],
    ['an array', `[${order('A')},${order('B')}]`, /^line 1: .*an array/],
    ['an envelope', `{"elements":[${order('A')}]}`, /^line 1: .*an envelope/],
    ['UTF-16', Buffer.from(`\ufeff${order('A')}\n`, 'utf16le'), /^line 1: .*UTF-16/],
    ['gzip that is not announced', A, /Content-Encoding/],
  ])('%s is refused by both, and nothing is stored', async (_what, body, reason) => {
    const token = await place.install('refused');
    const answer = await send('refused', token, body);
    expect(answer.status).toBe(400);
    const { message, details } = JSON.parse(answer.text) as { message: string; details: string };
    expect(message).toBe('400 Bad Request');
    expect(details).toMatch(reason);
    expect(details).toMatch(/nothing of this request was stored$/);
    if (body !== A) {
      const file = join(place.dataDir, 'refused.ndjson');
      await writeFile(file, body);
      await expect(
        command(['load', file, '--merchant', 'refused', '--type', 'ORDERS'], place.environment()),
      ).rejects.toThrow(details);
    }
    expect(await count('refused')).toBe(0);
  });
});

describe('an upload that began before', () => {
  test('uninstall and purge is refused like any other of that token, and stored nowhere', async () => {
    const token = await place.install('leaving');
    const { request, answer } = upload('leaving', token);
    request.write(`${order('A')}\n`);
    await until('it is being read', async () => (await openSpools()) > 0);
    await command(['uninstall', '--merchant', 'leaving'], place.environment());
    await command(['purge', '--merchant', 'leaving'], place.environment());
    // A purge alone would be 409.
    request.end(order('B'));
    const { status, text } = await answer;
    expect([status, text]).toEqual([401, '{"message":"401 Unauthorized"}']);
    expect(await count('leaving')).toBe(0);
  });

  test('uninstall alone is 401, purge alone 409', async () => {
    for (const [merchant, args, status] of [
      ['revoked', ['uninstall'], 401],
      ['purged', ['purge'], 409],
    ] as const) {
      const token = await place.install(merchant);
      await place.load(merchant, order('old'));
      const { request, answer } = upload(merchant, token);
      request.write(`${order('A')}\n`);
      await until('it is being read', async () => (await openSpools()) > 0);
      await command([...args, '--merchant', merchant], place.environment());
      request.end(order('B'));
      expect((await answer).status).toBe(status);
      expect(await count(merchant)).toBe(status === 409 ? 0 : 1);
    }
    const token = await place.install('purged');
    expect((await send('purged', token, order('A'))).status).toBe(200);
  });

  test('purge, from the command line as well: its merge is waited for, and then its objects go', async () => {
    const file = join(place.dataDir, 'inflight.ndjson');
    await writeFile(file, order('A'));
    const holder = new pg.Client(place.databaseUrl);
    await holder.connect();
    try {
      await holder.query('BEGIN; LOCK TABLE tillroll.orders IN SHARE MODE');
      const loading = command(
        ['load', file, '--merchant', 'inflight', '--type', 'ORDERS'],
        place.environment(),
      );
      await until('the merge waits for the table', () => isWaiting('relation'));
      const purging = command(['purge', '--merchant', 'inflight'], place.environment());
      await until('the purge waits for the merge', () => isWaiting('advisory'));
      await holder.query('COMMIT');
      expect(await loading).toContain('1 inserted');
      expect(await purging).toBe('1 objects and 0 exports deleted');
    } finally {
      await holder.end();
    }
    expect(await count('inflight')).toBe(0);
  });
});

test('purge ends an export that runs, and leaves none of its files', async () => {
  const other = await makePlace();
  const all = await serveHere(other, {});
  try {
    await other.seed('M', 4000);
    const token = await other.install('M');
    const held = await holdHalfWay(other);
    const created = await fetch(`${all.url}/v3/merchants/M/exports`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ type: 'ORDERS', startTime: FROM, endTime: TO }),
    });
    const { id } = (await created.json()) as { id: string };
    await until('files are being written', async () => (await other.files()).length > 0);
    const printed = await command(['purge', '--merchant', 'M'], other.environment());
    expect(printed).toBe('4000 objects and 1 exports deleted');
    expect(await other.files()).toEqual([]);
    await held.release();
    await sleep(1500);
    expect(await other.files()).toEqual([]);
    const { rows } = await other.pool.query('SELECT 1 FROM tillroll.exports WHERE id = $1', [id]);
    expect(rows).toEqual([]);
  } finally {
    await all.stop();
    await other.remove();
  }
});

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
          body: bodyOf(order('A')),
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

  async function* bodyOf(text: string, until?: Gate): AsyncGenerator<Buffer> {
    yield Buffer.from(text);
    await until?.opened;
  }

  test('one app never holds all turns; above the most there may be: 503 with a reason', async () => {
    const hold = gate();
    await withLoader({ maxUploads: 2 }, async (start) => {
      const slow = { body: bodyOf(order('A'), hold), install: null };
      const first = start({ ...slow, merchantId: 'slow1' });
      await until('it is being read', async () => (await openSpools()) > 0);
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
      const alone = await start({ body: bodyOf(lines(0, 8 * MB).toString()) }).catch(
        (e: unknown) => e,
      );
      expect(alone).toBeInstanceOf(TooLarge);
      expect((alone as Error).message).toMatch(/^the upload takes more than 5 MiB of this machine/);
      const hold = gate();
      const first = start({ body: bodyOf(lines(0, 3 * MB).toString(), hold), merchantId: 'first' });
      await until('it is spooled', async () => (await spooledBytes()) > 2.4 * MB);
      const same = await start({
        body: bodyOf(lines(0, 4 * MB).toString()),
        merchantId: 'first',
      }).catch((error: unknown) => error);
      expect(same).toBeInstanceOf(NoRoom);
      expect((same as Error).message).toMatch(/this app's uploads for this merchant hold 5 MiB/);
      hold.open();
      expect(await first).toMatchObject({ inserted: 300 });
      expect(await start({ body: bodyOf(lines(0, 4 * MB).toString()) })).toMatchObject({
        inserted: 400,
      });
      expect(await openSpools()).toBe(0);
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
      // As another process that merges would.
      const lock = [LOCKS.MERGE, 'tillroll.orders', 'busy'];
      await holder.query("SELECT pg_advisory_lock($1, hashtext($2 || ' ' || $3))", lock);
      // One connection: whoever waits with it would stop the others.
      const work = async (start: (upload: Partial<Upload>) => Promise<unknown>): Promise<void> => {
        const waiting = [1, 2, 3].map((i) =>
          start({ merchantId: 'busy', body: bodyOf(order(`busy${i}`)) }),
        );
        await until('they are checked', async () => (await openSpools()) === 3);
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
      loading = start({ merchantId: 'closing', body: bodyOf(order('A'), hold) }).catch(
        (e: unknown) => e,
      );
      await until('it is being read', async () => (await openSpools()) > 0);
    });
    expect(await loading).toBeInstanceOf(NoRoom);
    hold.open();
    expect(await count('closing')).toBe(0);
  });

  test('a purge between two uploads refuses neither', async () => {
    await withLoader({}, async (start) => {
      const hold = gate();
      const before = start({ merchantId: 'between', body: bodyOf(order('A'), hold) }).catch(
        (error: unknown) => error,
      );
      await until('it is being read', async () => (await openSpools()) > 0);
      await command(['purge', '--merchant', 'between'], place.environment());
      await command(['purge', '--merchant', 'between'], place.environment());
      hold.open();
      expect(await before).toBeInstanceOf(Purged);
      expect(await start({ merchantId: 'between' })).toMatchObject({ inserted: 1 });
    });
  });
});

/** Sizes of the spools that this process holds open: they have no name. */
async function spoolSizes(): Promise<number[]> {
  const directory = join(place.dataDir, 'spool');
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

async function openSpools(): Promise<number> {
  return (await spoolSizes()).length;
}

async function spooledBytes(): Promise<number> {
  return (await spoolSizes()).reduce((sum, size) => sum + size, 0);
}

async function isWaiting(locktype: string): Promise<boolean> {
  const { rows } = await place.pool.query(
    `SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE NOT granted AND locktype = $1 AND datname = current_database()`,
    [locktype],
  );
  return rows.length > 0;
}
