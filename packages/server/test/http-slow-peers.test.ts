import { afterEach, describe, expect, test } from 'vitest';
import { listenApp } from './http-app.ts';
import {
  ATTACKER,
  connections,
  EXPORTS,
  get,
  listen,
  listening,
  open,
} from './http-bounds-scene.ts';
import { until } from './integration/until.ts';
import { Raw } from './raw.ts';

afterEach(async () => {
  for (const raw of connections.splice(0)) raw.close();
  await Promise.all(listening.splice(0).map(({ app }) => app.close()));
});

describe('a slow peer is closed', { concurrent: true, timeout: 60_000 }, () => {
  test.for([
    ['that sends nothing', ''],
    ['that sends half a request line', 'GET /he'],
    ['that sends half of the headers', 'GET /health HTTP/1.1\r\nHost: x\r\n'],
  ] as const)('%s', async ([, sent]) => {
    const { app, url } = await listenApp();
    const raw = await Raw.open(url, ATTACKER);
    raw.send(sent);
    // One header a second does not help.
    const drip = setInterval(() => sent.endsWith('\n') && raw.send('a: b\r\n'), 1_000);
    expect(await raw.closed()).toBeLessThan(25_000);
    clearInterval(drip);
    expect((await raw.answer()).status).toBe(408);
    await app.close();
  });

  test.for([
    ['GET with a length', `GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n`, 200],
    ['GET in chunks', `GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`, 200],
    ['404', `POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n`, 404],
    ['401', `POST ${EXPORTS} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n`, 401],
    ['405', `PUT ${EXPORTS} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n`, 405],
    ['OPTIONS', `OPTIONS ${EXPORTS} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n`, 204],
    [
      'trailers that never end',
      `GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: y\r\n`,
      200,
    ],
  ] as const)('that was answered and whose body never comes: %s', async ([, sent, status]) => {
    const { app, url } = await listenApp();
    const raw = await Raw.open(url, ATTACKER);
    raw.send(sent);
    expect((await raw.answer()).status).toBe(status);
    expect(await raw.closed()).toBeLessThan(25_000);
    await app.close();
  });
});

test('a peer that keeps its side open does not keep ours', { timeout: 60_000 }, async () => {
  const { app, url } = await listen();
  const open = (): Promise<number> =>
    new Promise((resolve, reject) => {
      app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
    });
  for (const sent of [
    'nonsense\r\n\r\n',
    get('/health').repeat(1_000),
    `POST ${EXPORTS} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`,
    `POST ${EXPORTS} HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n`,
  ]) {
    const raw = await Raw.open(url, ATTACKER, { allowHalfOpen: true });
    connections.push(raw);
    raw.send(sent);
    await raw.answer();
  }
  await until('all are gone', async () => (await open()) === 0, { timeoutMs: 30_000 });
});

describe('a body before its token', () => {
  test.for([
    ['a create', EXPORTS],
    ['a load', '/v3/merchants/M1/orders/bulk'],
  ] as const)('of unknown length is not read: 401 and closed: %s', async ([, path]) => {
    const { url } = await listen();
    const raw = await open(url, ATTACKER);
    raw.send(`POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const { status, headers, body } = await raw.answer();
    expect(status).toBe(401);
    expect(body).toBe('{"message":"401 Unauthorized"}');
    expect(headers['connection']).toBe('close');
    const chunks = setInterval(() => raw.send('1\r\nx\r\n'.repeat(10_000)), 5);
    await raw.closed();
    clearInterval(chunks);
    expect(raw.answers()).toHaveLength(1);
  });

  test('that is announced too large is 413, whatever the token', async () => {
    const { url } = await listen();
    for (const [path, length] of [
      [EXPORTS, 65_537],
      ['/v3/merchants/M1/orders/bulk', 4 * 1024 ** 3 + 1],
      [EXPORTS, Number.MAX_SAFE_INTEGER],
    ] as const) {
      const raw = await open(url);
      raw.send(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`);
      const { status, headers } = await raw.answer();
      expect([status, headers['connection']]).toEqual([413, 'close']);
      await raw.closed();
    }
  });

  test('nobody is told to send it', async () => {
    const { url } = await listen();
    const raw = await open(url);
    raw.send(
      `POST ${EXPORTS} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n`,
    );
    expect((await raw.answer()).status).toBe(401);
    await raw.closed();
    const odd = await open(url);
    odd.send(`POST ${EXPORTS} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: tea\r\n\r\n`);
    expect((await odd.answer()).status).toBe(417);
    await odd.closed();
  });

  test('a small one of known length is dropped, and the connection goes on', async () => {
    const { url } = await listen();
    const raw = await open(url);
    for (let i = 0; i < 5; i++) {
      raw.send(`POST ${EXPORTS} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n`);
      expect((await raw.answer(i)).status).toBe(401);
      raw.send('x'.repeat(60_000));
    }
    expect(raw.isClosed).toBe(false);
  });

  test('absurd chunk extensions are 413', async () => {
    const { url } = await listen();
    const raw = await open(url);
    raw.send(
      `GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(40_000)}`,
    );
    await raw.closed();
    expect(raw.received).toMatch(/^HTTP\/1\.1 (200|413) /);
  });
});
