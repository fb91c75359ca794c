import { beforeAll, describe, expect, test } from 'vitest';
import {
  type Client,
  type ExportType,
  type Finished,
  download,
  downloadAll,
  elementsOf,
  freshId,
  line,
  main,
  nobody,
  other,
  otherApp,
  periodOf,
  readOrders,
  revoked,
  target,
} from './api.ts';
import { type Answer, exact } from './exact.ts';
import { expectExportNotFound, expectUnauthorized } from './shapes.ts';

const START = periodOf(2011);
const END = START + 10_000;
const SEED = Number(process.env['ACCEPTANCE_SEED'] ?? 20_110_417);
const ATTACKS = 4000;
const AT_ONCE = 32;
const REFUSALS = [400, 401, 403, 404, 405, 410];

/** One install with objects that nobody else may see, and exports of them. */
interface Owner {
  client: Client;
  name: string;
  done: Finished[];
}

const marks = { main: `MARK-${freshId()}`, other: `MARK-${freshId()}` };
const sharedIds = Array.from({ length: 1001 }, () => freshId('T'));
const linesOf = (mark: string): string[] =>
  sharedIds.map((id, i) => line(START + i, { id, note: mark, total: i }));
const lines = { main: linesOf(marks.main), other: linesOf(marks.other) };
const owners: Owner[] = [];

beforeAll(async () => {
  for (const type of ['ORDERS', 'PAYMENTS'] as const) {
    // The same ids at the same times, so that nothing but the merchant keeps them apart.
    await main.load(type, lines.main);
    await other.load(type, lines.other);
  }
  for (const [name, client] of Object.entries({ main, otherApp, other })) {
    const done = [
      await client.export('ORDERS', START, END),
      await client.export('PAYMENTS', START, END),
    ];
    owners.push({ client, name, done });
  }
});

const secretsOf = (owner: Owner): string[] => [
  owner.client === other ? marks.other : marks.main,
  ...owner.done.flatMap((done) => [done.export.id, ...done.urls]),
];

describe('two merchants with the same object ids', () => {
  test('each exports its own, to the byte', async () => {
    for (const type of ['ORDERS', 'PAYMENTS'] as ExportType[]) {
      expect(await main.objects(type, START, END)).toEqual(lines.main);
      expect(await other.objects(type, START, END)).toEqual(lines.other);
    }
  });

  test('one changes its object; that of the other stays', async () => {
    const time = END + 5000;
    const id = freshId('T');
    const mine = line(time, { id, note: marks.main });
    const theirs = line(time, { id, note: marks.other });
    await main.load('ORDERS', [mine]);
    await other.load('ORDERS', [theirs]);
    const newer = line(time, { id, note: marks.other, modifiedTime: time + 1 });
    await other.load('ORDERS', [newer]);
    expect(await main.objects('ORDERS', time, time + 1)).toEqual([mine]);
    expect(await other.objects('ORDERS', time, time + 1)).toEqual([newer]);
  });
});

describe('an export belongs to the merchant and the app that created it', () => {
  test('another app on the same merchant does not see it', async () => {
    for (const [mine, theirs] of [
      [main, otherApp],
      [otherApp, main],
    ] as const) {
      for (const done of owners.find((owner) => owner.client === theirs)?.done ?? []) {
        expectExportNotFound(await mine.read(done.export.id));
      }
    }
  });

  test('an export that another has cannot be told from one that does not exist', async () => {
    const theirs = owners.find((owner) => owner.client === otherApp)?.done[0]?.export.id ?? '';
    const [foreign, unknown] = [await main.read(theirs), await main.read('0000000000000')];
    const face = (answer: Answer) => [
      answer.status,
      answer.text,
      [...answer.headers.keys()].sort(),
    ];
    expect(face(foreign)).toEqual(face(unknown));
  });

  test("another merchant's token, under either merchant's path", async () => {
    const mine = owners.find((owner) => owner.client === main)?.done[0]?.export.id ?? '';
    expectUnauthorized(await other.ask(`${main.path}/${mine}`));
    expectExportNotFound(await other.read(mine));
    expectUnauthorized(await other.ask(main.path));
    expectUnauthorized(
      await other.ask(main.path, {
        method: 'POST',
        body: JSON.stringify({ type: 'ORDERS', startTime: START, endTime: END }),
      }),
    );
  });

  test('nobody lists what belongs to another', async () => {
    for (const owner of owners) {
      const { text } = await owner.client.ask(`${owner.client.path}?limit=1000`);
      for (const stranger of owners) {
        if (stranger === owner) continue;
        for (const done of stranger.done) expect(text).not.toContain(done.export.id);
      }
    }
  });
});

interface Attack {
  why: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
}

/** mulberry32: small, and the same everywhere for the same seed. */
function randomOf(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  const pick = <T>(values: readonly T[]): T => values[below(values.length)] as T;
  return { below, pick };
}

type Random = ReturnType<typeof randomOf>;

const WORD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';

/** Another text than the one given, never empty: changed, cut, prolonged or turned in one place or more. */
function mutated(r: Random, text: string, alphabet = WORD): string {
  for (;;) {
    let out = text;
    for (let n = 1 + r.below(3); n > 0; n--) {
      const at = r.below(out.length);
      const [before, char, after] = [out.slice(0, at), out[at] ?? '', out.slice(at + 1)];
      const turned = char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase();
      out = r.pick([
        before + r.pick(Array.from(alphabet)) + after,
        before + after,
        before + char + r.pick(Array.from(alphabet)) + after,
        before + turned + after,
        before + after.slice(0, 1) + char + after.slice(1),
        out.slice(0, 1 + r.below(out.length)),
      ]);
      if (out === '') out = text;
    }
    if (out !== text) return out;
  }
}

function attackOf(r: Random): Attack {
  const victim = r.pick(owners);
  const done = r.pick(victim.done);
  const { id } = done.export;
  const { client } = victim;
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const forged = (): string =>
    r.pick([
      () => mutated(r, client.token ?? ''),
      () => mutated(r, target.otherToken),
      () => target.revokedToken,
      () => client.merchant,
      () => id,
      () => 'null',
    ])();
  /** Credentials that open nothing at the victim's merchant. */
  const bad = (): Record<string, string> =>
    r.pick([
      () => ({}),
      () => bearer(forged()),
      () => bearer(client === other ? target.token : target.otherToken),
      () => ({
        authorization: `Basic ${Buffer.from(`x:${client.token ?? ''}`).toString('base64')}`,
      }),
      () => ({
        ...bearer(forged()),
        'x-forwarded-for': '127.0.0.1',
        'x-merchant-id': client.merchant,
      }),
      () => ({
        cookie: `access_token=${client.token ?? ''}`,
        'x-access-token': client.token ?? '',
      }),
    ])();
  const strangers = [main, otherApp, other].filter((one) => one !== client);
  const method = r.pick(['GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

  return r.pick<() => Attack>([
    () => ({
      why: 'read with bad credentials',
      method,
      path: `${client.path}/${id}`,
      headers: bad(),
    }),
    () => ({
      why: 'read with a bad access_token',
      method: 'GET',
      path: `${client.path}/${id}?access_token=${encodeURIComponent(forged())}`,
      headers: {},
    }),
    () => ({
      why: 'list with bad credentials',
      method: 'GET',
      path: `${client.path}?limit=1000`,
      headers: bad(),
    }),
    () => {
      const stranger = r.pick(strangers);
      return {
        why: 'read by a stranger with good credentials',
        method,
        path: `${stranger.path}/${id}`,
        headers: stranger.auth,
      };
    },
    () => {
      const stranger = r.pick(strangers);
      return {
        why: 'read of a changed id by a stranger',
        method: 'GET',
        path: `${stranger.path}/${mutated(r, id)}`,
        headers: stranger.auth,
      };
    },
    () => ({
      why: 'read of a changed id by its owner',
      method: 'GET',
      path: `${client.path}/${mutated(r, id)}`,
      headers: client.auth,
    }),
    () => {
      const merchant = r.pick([
        mutated(r, client.merchant),
        client.merchant.toLowerCase() === client.merchant
          ? `${client.merchant}_`
          : client.merchant.toLowerCase(),
        `%${(client.merchant.codePointAt(0) ?? 0).toString(16)}${client.merchant.slice(1)}`,
        `${target.otherMerchant}%2f..%2f${client.merchant}`,
        `${target.otherMerchant}/../${client.merchant}`,
        `${client.merchant}%00`,
        `${client.merchant};${target.otherMerchant}`,
        `${client.merchant},${target.otherMerchant}`,
      ]);
      const stranger = client === other ? main : other;
      const headers = r.pick([stranger.auth, {}, bearer(forged())]);
      return {
        why: 'a changed merchant',
        method: 'GET',
        path: `/v3/merchants/${merchant}/exports/${id}`,
        headers,
      };
    },
    () => {
      const stranger = client === other ? main : other;
      const query = r.pick([
        'mId',
        'merchantId',
        'merchant_id',
        'merchant',
        'appId',
        'app_id',
        'exportId',
        'id',
      ]);
      const value = r.pick([client.merchant, id, '1%20OR%201%3D1', "'%20OR%20''%3D'"]);
      const path = `${stranger.path}/${r.pick([id, mutated(r, id), `${id}'--`, `${id}%27%20OR%201=1`])}?${query}=${value}`;
      return { why: 'another id in the query', method: 'GET', path, headers: stranger.auth };
    },
    () => ({
      why: 'create with bad credentials',
      method: 'POST',
      path: client.path,
      headers: bad(),
      body: JSON.stringify({
        type: r.pick(['ORDERS', 'PAYMENTS']),
        startTime: START,
        endTime: END,
        merchantRef: { id: client.merchant },
      }),
    }),
    () => ({
      why: 'load with bad credentials',
      method: 'POST',
      path: client.bulkPath(r.pick(['ORDERS', 'PAYMENTS'])),
      headers: { ...bad(), 'content-type': 'application/x-ndjson' },
      body: line(START, {
        id: r.pick(sharedIds),
        modifiedTime: START + 100_000,
        note: 'overwritten',
      }),
    }),
    () => {
      const { pathname, search } = new URL(r.pick(done.urls));
      const signature = /[0-9a-f]{16,}$/.exec(search === '' ? pathname : search)?.[0] ?? '';
      const unsigned = (pathname + search).slice(0, -signature.length);
      const path = r.pick([
        () => unsigned + mutated(r, signature, '0123456789abcdef'),
        () => pathname.slice(0, 1) + mutated(r, (pathname + search).slice(1), `${WORD}/.&=%`),
        () => unsigned + Array.from(signature, () => r.below(16).toString(16)).join(''),
        () => unsigned,
      ])();
      return {
        why: 'a forged file URL',
        method: r.pick(['GET', 'GET', 'HEAD', 'POST']),
        path,
        headers: r.pick([{}, bearer(forged())]),
      };
    },
    () => {
      const theirs = r.pick(owners.filter((one) => one !== victim));
      const sign = /[0-9a-f]{16,}$/;
      const url = r.pick(done.urls);
      const stolen = sign.exec(r.pick(r.pick(theirs.done).urls))?.[0] ?? '';
      const path = url.slice(new URL(url).origin.length).replace(sign, stolen);
      return {
        why: "a file with another's signature",
        method: 'GET',
        path,
        headers: r.pick([{}, bearer(forged())]),
      };
    },
  ])();
}

describe('isolation', () => {
  test(`${ATTACKS} random cross-merchant, cross-app and forged requests: not one byte of another's`, async () => {
    const r = randomOf(SEED);
    const attacks = Array.from({ length: ATTACKS }, () => attackOf(r));
    const secrets = [...new Set(owners.flatMap(secretsOf))];
    const good = [target.token, target.otherAppToken, target.otherToken, target.readOrdersToken];
    const masked = (text: string): string =>
      good.reduce((rest, token) => rest.replaceAll(token, '<token>'), text);
    const tally = new Map<string, number>();

    const strike = async (attack: Attack, i: number): Promise<void> => {
      const { why, method, path, headers, body } = attack;
      const answer = await exact(target.url, path, {
        method,
        headers,
        ...(body === undefined ? {} : { body }),
      });
      const tell = masked(
        `seed ${SEED}, request ${i}, ${why}: ${method} ${path} ${JSON.stringify(headers)} -> ${answer.status} ${answer.text.slice(0, 300)}`,
      );
      expect(answer.status, tell).toBeOneOf(REFUSALS);
      const sent = JSON.stringify(attack);
      const received = `${answer.bytes.toString('latin1')} ${JSON.stringify([...answer.headers])}`;
      for (const secret of secrets) {
        if (!sent.includes(secret)) expect(received.includes(secret), tell).toBe(false);
      }
      for (const token of good) expect(received.includes(token), tell).toBe(false);
      expect(received, tell).not.toContain(marks.main);
      expect(received, tell).not.toContain(marks.other);
      const key = `${why}: ${answer.status}`;
      tally.set(key, (tally.get(key) ?? 0) + 1);
    };

    const queue = attacks.entries();
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const [i, attack] of queue) await strike(attack, i);
      }),
    );
    expect([...tally.values()].reduce((sum, n) => sum + n, 0)).toBe(ATTACKS);
    // Each kind of attack was made, or the test has lost its teeth.
    expect(new Set([...tally.keys()].map((key) => key.split(':')[0])).size).toBe(12);
  }, 180_000);

  test('after them every owner still reads and downloads its own, and nothing has changed', async () => {
    for (const { client, done } of owners) {
      const expected = client === other ? lines.other : lines.main;
      for (const one of done) {
        const again = await client.poll(one.export.id);
        expect((await downloadAll(again)).flatMap(elementsOf)).toEqual(expected);
        for (const url of one.urls) expect((await download(url)).status).toBe(200);
        expect(await client.objects(one.export.type, START, END)).toEqual(expected);
      }
    }
  });

  test('a revoked token opens nothing, and neither does none', async () => {
    for (const who of [revoked, nobody]) {
      for (const { done } of owners) {
        for (const one of done) expectUnauthorized(await who.read(one.export.id));
      }
    }
    expectUnauthorized(await readOrders.ask(`${other.path}?limit=1`));
  });
});
