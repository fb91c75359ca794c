import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Raw } from '../raw.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { endChildren, startChild, type Child } from './process.ts';

/** Peers that hold, flood and stall, beside a client that does not. */

const ATTACKER = '127.0.0.2';
const EXPORTS = '/v3/merchants/M1/exports';
const BODY = JSON.stringify({ type: 'ORDERS', startTime: FROM, endTime: TO });

let place: Place;
let child: Child;
let token: string;
const connections: Raw[] = [];

beforeAll(async () => {
  place = await makePlace();
  token = await place.install('M1');
  child = await startChild('serve', place.environment());
});

afterEach(() => {
  for (const raw of connections.splice(0)) raw.close();
});

afterAll(async () => {
  await endChildren();
  await place.remove();
});

async function open(from = ATTACKER): Promise<Raw> {
  const raw = await Raw.open(child.url, from);
  connections.push(raw);
  return raw;
}

function post(headers: string, as = token): string {
  return `POST ${EXPORTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${as}\r\n${headers}\r\n`;
}

/** Polls without a pause while `attack` runs. @returns the statuses and how long each took, ms. */
async function pollsDuring(
  attack: () => Promise<unknown>,
  clients = 1,
): Promise<{ statuses: Set<number>; polls: number }> {
  const seen = { statuses: new Set<number>(), polls: 0 };
  let running = true;
  const path = `/v3/merchants/M1/exports?limit=1`;
  const polling = Array.from({ length: clients }, async () => {
    const raw = await open('127.0.0.1');
    while (running) {
      raw.send(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
      seen.statuses.add((await raw.answer()).status);
      raw.forget();
      seen.polls++;
    }
  });
  await attack();
  running = false;
  await Promise.all(polling);
  return seen;
}

/** Resident memory of the service, MB. */
async function memory(): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(`/proc/${child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1]) / 1024;
}

describe('beside a client that polls', () => {
  test('three connections that pipeline: no poll fails, and each of them is closed', async () => {
    const { statuses, polls } = await pollsDuring(async () => {
      for (let round = 0; round < 5; round++) {
        const floods = await Promise.all([open(), open(), open()]);
        for (const raw of floods)
          raw.send(
            `GET ${EXPORTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`.repeat(
              10_000,
            ),
          );
        await Promise.all(floods.map((raw) => raw.closed()));
      }
    });
    expect([...statuses]).toEqual([200]);
    expect(polls).toBeGreaterThan(0);
  });

  test('50 clients of one address that poll as fast as they can are never refused', async () => {
    const { statuses } = await pollsDuring(
      () => new Promise((resolve) => setTimeout(resolve, 3_000)),
      50,
    );
    expect([...statuses]).toEqual([200]);
  });
});

describe('bodies', () => {
  test('one-byte chunks with a token are one body; without one they are not read', async () => {
    const chunks = Array.from(BODY, (byte) => `1\r\n${byte}\r\n`).join('') + '0\r\n\r\n';
    const good = await open();
    good.send(post('Transfer-Encoding: chunked\r\n') + chunks);
    expect((await good.answer()).status).toBe(200);
    const bad = await open();
    bad.send(post('Transfer-Encoding: chunked\r\n', `${token.slice(0, -1)}!`) + chunks);
    const answer = await bad.answer();
    expect([answer.status, answer.headers['connection']]).toEqual([401, 'close']);
    await bad.closed();
  });

  test('a body in thousands of one-byte chunks is 413, and costs memory for its bytes alone', async () => {
    const before = await memory();
    const head = post('Transfer-Encoding: chunked\r\n');
    const holding = await Promise.all(Array.from({ length: 100 }, () => open()));
    // Tests the budget of the whole process, garbage included. The number of parts held is tested in incoming.test.ts.
    for (const raw of holding) raw.send(head + '1\r\nx\r\n'.repeat(4_000));
    const full = await open();
    full.send(head + '1\r\nx\r\n'.repeat(60_000));
    expect((await full.answer()).status).toBe(413);
    await full.closed();
    expect((await memory()) - before).toBeLessThan(150);
  });

  test('one that stalls is 408, and its connection is closed', async () => {
    const stalled = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const raw = await open();
        raw.send(
          i % 2
            ? post(`Content-Length: ${BODY.length}\r\n`) + BODY.slice(0, -1)
            : `${post('Transfer-Encoding: chunked\r\n')}${BODY.length.toString(16)}\r\n${BODY}\r\n`,
        );
        return raw;
      }),
    );
    for (const raw of stalled) {
      expect((await raw.answer()).status).toBe(408);
      expect(await raw.closed()).toBeLessThan(35_000);
    }
  });

  test('a sender that waits for 100 Continue is told to send once its token is good', async () => {
    const raw = await open();
    raw.send(post(`Content-Length: ${BODY.length}\r\nExpect: 100-continue\r\n`));
    expect((await raw.answer()).status).toBe(100);
    raw.send(BODY);
    expect((await raw.answer(1)).status).toBe(200);
  });

  test('a GET with a body is answered like one without', async () => {
    const raw = await open();
    const head = `GET ${EXPORTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n`;
    for (let i = 0; i < 3; i++) {
      raw.send(`${head}Content-Length: 5\r\n\r\nhello`);
      expect((await raw.answer(i)).status).toBe(200);
    }
  });
});

test('what all of this wrote to the log is bounded', () => {
  const lines = child.log().split('\n');
  expect(lines.filter((line) => line.includes('"stack"'))).toEqual([]);
  expect(child.logged('overloaded')).toBeLessThan(200);
});
