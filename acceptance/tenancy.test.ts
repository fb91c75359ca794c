import { beforeAll, describe, expect, test } from 'vitest';
import {
  download,
  downloadAll,
  parseElements,
  type ExportType,
  freshId,
  line,
  main,
  nobody,
  other,
  otherApp,
  readOrders,
  revoked,
  target,
} from './api.ts';
import { type Answer, exact } from './exact-requests.ts';
import { expectExportNotFound, expectUnauthorized } from './error-shapes.ts';
import { type Attack, makeAttack, seedRandom, REFUSALS } from './tenancy-attacks.ts';
import { END, lines, marks, owners, listSecrets, START } from './tenancy-owners.ts';

const SEED = Number(process.env['ACCEPTANCE_SEED'] ?? 20_110_417);

const ATTACKS = 4000;

const AT_ONCE = 32;

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

describe('isolation', () => {
  test(`${ATTACKS} random cross-merchant, cross-app and forged requests: not one byte of another's`, async () => {
    const r = seedRandom(SEED);
    const attacks = Array.from({ length: ATTACKS }, () => makeAttack(r));
    const secrets = [...new Set(owners.flatMap(listSecrets))];
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
        expect((await downloadAll(again)).flatMap(parseElements)).toEqual(expected);
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
