import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Service } from '../../src/service.ts';
import { holdHalfWay } from './held-source.ts';
import { FROM, makePlace, type Place, TO } from './place.ts';
import { command, endChildren } from './process.ts';
import { serveHere } from './service.ts';
import { openSpools } from './spools.ts';
import { until } from './until.ts';

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
    await until('it is being read', async () => (await openSpools(place.dataDir)) > 0);
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
      await until('it is being read', async () => (await openSpools(place.dataDir)) > 0);
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

async function isWaiting(locktype: string): Promise<boolean> {
  const { rows } = await place.pool.query(
    `SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE NOT granted AND locktype = $1 AND datname = current_database()`,
    [locktype],
  );
  return rows.length > 0;
}
