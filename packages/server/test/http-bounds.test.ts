import { afterEach, describe, expect, test } from 'vitest';
import { FairSemaphore } from '../src/fair-semaphore.ts';
import { MAX_HEADER_FIELDS, MAX_REQUESTS_PER_CONNECTION } from '../src/http/limits.ts';
import {
  allIn,
  ATTACKER,
  connections,
  expectOverloaded,
  EXPORTS,
  get,
  listen,
  listening,
  open,
  TOKEN,
} from './http-bounds-scene.ts';
import { until } from './integration/until.ts';
import { Raw } from './raw.ts';

afterEach(async () => {
  for (const raw of connections.splice(0)) raw.close();
  await Promise.all(listening.splice(0).map(({ app }) => app.close()));
});

describe('requests under way on one connection', () => {
  test.for([
    ['that are answered at once', '/health', 200],
    ['that are refused at once', '/nowhere', 404],
    ['without a token', EXPORTS, 401],
  ] as const)('16 %s are answered, then one 503, and nothing more', async ([, path, status]) => {
    const { url, lines } = await listen();
    const raw = await open(url, ATTACKER);
    raw.send(get(path).repeat(31_000));
    await raw.closed();
    const answers = raw.answers();
    expect(answers.map((answer) => answer.status)).toEqual([
      ...Array<number>(MAX_REQUESTS_PER_CONNECTION).fill(status),
      503,
    ]);
    const last = await raw.answer(MAX_REQUESTS_PER_CONNECTION);
    expectOverloaded(last);
    expect(last.headers['connection']).toBe('close');
    await until('all is logged', () => lines().some(({ msg }) => msg === 'overloaded'));
    expect(lines().filter(({ msg }) => msg === 'request')).toHaveLength(
      MAX_REQUESTS_PER_CONNECTION,
    );
  });

  test('while earlier ones wait, nothing more is read, and the rest is closed', async () => {
    const turns = new FairSemaphore({ permits: 1, waiting: 1000, waitMs: 3_000 });
    const release = await turns.acquire('somebody');
    const { url } = await listen({ turns: allIn(turns) });
    const raw = await open(url, ATTACKER);
    const request = get(EXPORTS, `Authorization: Bearer ${TOKEN}\r\n`);
    const flood = setInterval(() => raw.send(request.repeat(5_000)), 20);
    await until('16 wait', () => turns.waiting === MAX_REQUESTS_PER_CONNECTION);
    await raw.closed();
    clearInterval(flood);
    expect(turns.waiting).toBe(0);
    // Far from all of what was sent: the kernel's buffers, and one read.
    expect(raw.socket.bytesWritten - raw.socket.writableLength).toBeLessThan(20_000_000);
    release();
  });

  test('16 at a time are never too many', async () => {
    const { url } = await listen();
    const raw = await open(url);
    for (let round = 1; round <= 20; round++) {
      raw.send(get('/health').repeat(MAX_REQUESTS_PER_CONNECTION));
      await raw.answer(round * MAX_REQUESTS_PER_CONNECTION - 1);
    }
    expect(new Set(raw.answers().map(({ status }) => status))).toEqual(new Set([200]));
  });
});

describe('connections', () => {
  const BOUNDS = {
    TILLROLL_MAX_CONNECTIONS: '8',
    TILLROLL_MAX_CONNECTIONS_PER_ADDRESS: '5',
  };

  /** Opens connections and makes sure that each is served. */
  async function served(url: string, count: number, from: string): Promise<Raw[]> {
    const opened = await Promise.all(Array.from({ length: count }, () => open(url, from)));
    for (const raw of opened) raw.send(get('/health'));
    for (const raw of opened) expect((await raw.answer()).status).toBe(200);
    return opened;
  }

  async function refused(url: string, from: string): Promise<void> {
    const raw = await open(url, from);
    const answer = await raw.answer();
    expectOverloaded(answer);
    expect(answer.headers['connection']).toBe('close');
    await raw.closed();
  }

  test('of one address, then in all; another address is served until then', async () => {
    const { url, lines } = await listen({}, BOUNDS);
    const [first] = await served(url, 5, ATTACKER);
    for (let i = 0; i < 20; i++) await refused(url, ATTACKER);
    await served(url, 3, '127.0.0.1');
    await refused(url, '127.0.0.1');
    await refused(url, '127.0.0.3');
    first?.close();
    await until('a place is free', async () => {
      const raw = await open(url, '127.0.0.3');
      raw.send(get('/health'));
      return (await raw.answer()).status === 200;
    });
    await until('both are logged', () => {
      const reasons = lines().flatMap(({ msg, reason }) => (msg === 'overloaded' ? [reason] : []));
      return new Set(reasons).size === 2;
    });
  });

  test('of a trusted proxy only count in all', async () => {
    const { url } = await listen({}, { ...BOUNDS, TILLROLL_TRUSTED_PROXIES: '127.0.0.2' });
    await served(url, 7, '127.0.0.2');
    await served(url, 1, '127.0.0.1');
    await refused(url, '127.0.0.2');
  });
});

describe('requests under way of one client address', () => {
  const BOUNDS = { TILLROLL_MAX_CONNECTIONS_PER_ADDRESS: '3' };

  test('behind a trusted proxy it is the address that the proxy saw', async () => {
    const turns = new FairSemaphore({ permits: 1, waiting: 1000, waitMs: 10_000 });
    const release = await turns.acquire('somebody');
    const { url } = await listen(
      { turns: allIn(turns) },
      { ...BOUNDS, TILLROLL_TRUSTED_PROXIES: '127.0.0.2/31, 10.0.0.0/8' },
    );
    const ask = async (forwarded: string, from: string, path = '/health'): Promise<Raw> => {
      const raw = await open(url, from);
      raw.send(get(path, `X-Forwarded-For: ${forwarded}\r\nAuthorization: Bearer ${TOKEN}\r\n`));
      return raw;
    };
    const fetchStatus = async (forwarded: string, from: string): Promise<number> =>
      (await (await ask(forwarded, from)).answer()).status;
    for (const claimed of ['1.1.1.1', 'garbage, 1.1.1.1', '9.9.9.9,1.1.1.1, 10.1.1.1'])
      await ask(claimed, '127.0.0.2', EXPORTS);
    await until('three wait', () => turns.waiting === 3);
    for (const claimed of ['1.1.1.1', ' , ,,, 1.1.1.1', '2.2.2.2, 1.1.1.1:4711', '::ffff:1.1.1.1'])
      expect(await fetchStatus(claimed, '127.0.0.3'), claimed).toBe(503);
    expect(await fetchStatus('1.1.1.1, 2.2.2.2', '127.0.0.2')).toBe(200);
    expect(await fetchStatus('1.1.1.1, garbage', '127.0.0.2')).toBe(200);
    // Nobody believes a peer that is not a proxy.
    expect(await fetchStatus('1.1.1.1', '127.0.0.9')).toBe(200);
    release();
  });

  test('the refusal keeps the connection, unless a body is under way', async () => {
    const turns = new FairSemaphore({ permits: 1, waiting: 1000, waitMs: 10_000 });
    const release = await turns.acquire('somebody');
    const { url } = await listen({ turns: allIn(turns) }, BOUNDS);
    const waiting = await open(url, ATTACKER);
    waiting.send(get(EXPORTS, `Authorization: Bearer ${TOKEN}\r\n`).repeat(3));
    await until('three wait', () => turns.waiting === 3);
    const raw = await open(url, ATTACKER);
    raw.send(get('/health'));
    expectOverloaded(await raw.answer());
    expect((await raw.answer()).headers['connection']).not.toBe('close');
    raw.send(`POST ${EXPORTS} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
    expect((await raw.answer(1)).headers['connection']).toBe('close');
    await raw.closed();
    release();
  });
});

describe('waiting for a turn at the database', () => {
  test('a caller that leaves gives its place up', async () => {
    const turns = new FairSemaphore({ permits: 1, waiting: 1000, waitMs: 30_000 });
    const release = await turns.acquire('somebody');
    const { url, lines } = await listen({ turns: allIn(turns) });
    const raw = await open(url, ATTACKER);
    raw.send(get(EXPORTS, `Authorization: Bearer ${TOKEN}\r\n`).repeat(3));
    await until('three wait', () => turns.waiting === 3);
    raw.close();
    await until('none waits', () => turns.waiting === 0, { timeoutMs: 5_000 });
    await until('it is logged', () => lines().some(({ aborted }) => aborted === true));
    expect(lines().filter(({ level }) => level === 50)).toEqual([]);
    release();
  });

  test('too many waiting: 503, one line in a second and no stack', async () => {
    const turns = new FairSemaphore({ permits: 1, waiting: 0, waitMs: 1_000 });
    const release = await turns.acquire('somebody');
    const { url, lines } = await listen({ turns: allIn(turns) });
    const raw = await open(url);
    for (let i = 0; i < 300; i++) {
      raw.send(get(EXPORTS, `Authorization: Bearer ${TOKEN}\r\n`));
      expectOverloaded(await raw.answer(i));
    }
    await until('the rest is counted', () => lines().some(({ suppressed }) => suppressed));
    const all = lines();
    expect(all.filter(({ level }) => level === 50)).toEqual([]);
    expect(JSON.stringify(all)).not.toContain('"stack"');
    const overloads = all.filter(({ msg }) => msg === 'overloaded');
    const counted = overloads.reduce((sum, line) => sum + Number(line['suppressed'] ?? 1), 0);
    expect(counted).toBeLessThanOrEqual(300);
    release();
  });
});

describe('headers', () => {
  test('more than 100 are 431', async () => {
    const { url } = await listen();
    for (const [count, status] of [
      [MAX_HEADER_FIELDS - 1, 200],
      [MAX_HEADER_FIELDS, 431],
      [2_000, 431],
    ] as const) {
      const raw = await open(url);
      // Host is one of them.
      raw.send(get('/health', 'a: b\r\n'.repeat(count)));
      expect((await raw.answer()).status, String(count)).toBe(status);
    }
  });
});

describe('the log under a flood', () => {
  test('refused requests have a bounded number of lines, and are counted', async () => {
    const { app, url, lines } = await listen();
    const raw = await open(url, ATTACKER);
    const began = performance.now();
    const COUNT = 1_500;
    for (let i = 0; i < COUNT; i++) {
      raw.send(get(i % 2 ? '/nowhere' : EXPORTS));
      await raw.answer();
      raw.forget();
    }
    await app.close();
    const seconds = (performance.now() - began) / 1_000;
    const written = lines().filter(({ msg }) => msg === 'request').length;
    const omitted = lines().reduce((sum, line) => sum + Number(line['omitted'] ?? 0), 0);
    expect(written).toBeLessThanOrEqual(100 + 10 * Math.ceil(seconds));
    expect(written + omitted).toBe(COUNT);
  });

  test('so have bytes that are not HTTP', async () => {
    const { app, url, lines } = await listen();
    const before = lines().length;
    for (let i = 0; i < 200; i++) {
      const raw = await open(url, ATTACKER);
      raw.send('nonsense\r\n\r\n');
      await raw.closed();
    }
    await app.close();
    expect(lines().length - before).toBeLessThan(20);
  });
});
