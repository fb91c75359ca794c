import { describe, expect, test } from 'vitest';
import {
  type Client,
  freshId,
  main,
  nobody,
  other,
  choosePeriod,
  readOrders,
  revoked,
  target,
} from './api.ts';
import { exact } from './exact-requests.ts';
import { expectError, expectUnauthorized } from './error-shapes.ts';

const START = choosePeriod(2013);

const END = START + 60_000;

const GOOD = { type: 'ORDERS', startTime: START, endTime: END };

describe('order of the checks: route 404 / 405, 413, 401, 429, 400, 503', () => {
  const huge = Buffer.alloc(10 * 1024 * 1024, 'x');

  test('a bad merchant id is 404 before any other check', async () => {
    for (const [headers, body] of [
      [{}, '{'],
      [revoked.auth, JSON.stringify(GOOD)],
      [{}, huge],
    ] as const) {
      const answer = await exact(target.url, '/v3/merchants/a.b/exports', {
        method: 'POST',
        headers,
        body,
      });
      expectError(answer, 404);
    }
  });

  test('405 comes before the token and the body', async () => {
    const answer = await exact(target.url, main.path, { method: 'PUT', headers: {}, body: '{' });
    expectError(answer, 405);
  });

  test('a body of 10 MB is 413', async () => {
    expectError(
      await exact(target.url, main.path, { method: 'POST', headers: main.auth, body: huge }),
      413,
    );
    const json10 = Buffer.from(`{"x":"${'x'.repeat(10_000_000)}",${JSON.stringify(GOOD).slice(1)}`);
    const headers = { ...main.auth, 'content-type': 'application/json' };
    expectError(await exact(target.url, main.path, { method: 'POST', headers, body: json10 }), 413);
  });

  test('a body of 10 MB in chunks, without a length, is 413', async () => {
    const body = Array.from({ length: 160 }, () => Buffer.alloc(64 * 1024, 'x'));
    expectError(
      await exact(target.url, main.path, { method: 'POST', headers: main.auth, body }),
      413,
    );
  });

  test('after a 413 the connection is closed or good for the next request', async () => {
    for (let i = 0; i < 4; i++) {
      expectError(
        await exact(target.url, main.path, { method: 'POST', headers: main.auth, body: huge }),
        413,
      );
      const next = { method: 'POST', headers: main.auth, body: JSON.stringify(GOOD) };
      expect((await exact(target.url, main.path, next)).status).toBe(200);
    }
  });

  test('too large a body is 413 before a bad token is 401', async () => {
    for (const headers of [{}, revoked.auth, { authorization: 'Bearer nope' }]) {
      expectError(await exact(target.url, main.path, { method: 'POST', headers, body: huge }), 413);
    }
  });

  test('a bad token is 401 before a bad body is 400', async () => {
    for (const body of [
      '',
      '{',
      '[]',
      '{"type":"nope"}',
      JSON.stringify({ ...GOOD, endTime: START }),
    ]) {
      for (const who of [nobody, revoked, other] as Client[]) {
        expectUnauthorized(
          await exact(target.url, main.path, { method: 'POST', headers: who.auth, body }),
        );
      }
    }
  });

  test('a missing permission for the type is 401 before bad times are 400', async () => {
    expectUnauthorized(await readOrders.post({ type: 'PAYMENTS', startTime: 'abc' }));
    expectError(await readOrders.post({ type: 'ORDERS', startTime: 'abc' }), 400);
    expectError(await readOrders.post({ type: 'orders', startTime: START, endTime: END }), 400);
  });

  test('a bad token is 401 before an unknown export is 404', async () => {
    const path = `${main.path}/${freshId('').slice(0, 13)}`;
    expectUnauthorized(await nobody.ask(path));
    expectUnauthorized(await revoked.ask(path));
  });
});
