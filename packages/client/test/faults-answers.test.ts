import { describe, expect, test } from 'vitest';
import { RETRY_POLICY } from '../src/index.ts';
import type { Faults } from './fake-server/index.ts';
import { contents, expectComplete, catchFailure, LONG, MONTH, RETRY, Scene } from './scene.ts';

describe('the API refuses or breaks off', () => {
  test.concurrent.each([
    ['500', { status: { on: ['create', 'read'], status: 500, every: 2 } }],
    [
      '502 with a page',
      { status: { on: 'read', status: 502, times: 3, body: '<html>Bad</html>' } },
    ],
    ['503 to a read', { status: { on: 'read', status: 503, times: 2, retryAfter: 0 } }],
    ['a reset before the answer', { reset: { on: 'create', at: 'before', times: 1 } }],
    ['a reset in the headers', { reset: { on: 'read', at: 'headers', times: 2 } }],
    ['a reset in the body', { reset: { on: 'read', at: { bytes: 40 }, times: 2 } }],
    ['an answer cut short', { cut: { on: 'read', bytes: 40, length: 'promised', times: 2 } }],
    ['a slow one', { slow: { on: ['create', 'read'], latencyMs: 200 } }],
    ['gzip', { encoding: { on: ['create', 'read'], how: 'gzip' } }],
    ['gzip, not said', { encoding: { on: ['create', 'read'], how: 'gzip-unmarked' } }],
    ['said to be gzip', { encoding: { on: ['create', 'read'], how: 'marked-only' } }],
    ['an unknown encoding', { encoding: { on: ['create', 'read'], how: 'unknown' } }],
  ] satisfies [string, Faults][])('%s passes', async (_name, faults) => {
    await using scene = await Scene.begin({ faults, maxOpen: 5 });
    await expectComplete(scene, scene.pull());
  });

  test.concurrent('silence is taken for a fault', async () => {
    await using scene = await Scene.begin({
      faults: {
        stall: [
          { on: 'create', at: 'before', times: 1 },
          { on: 'read', at: { bytes: 20 }, times: 1 },
          { on: 'file', at: { bytes: 2000 }, times: 1 },
        ],
      },
    });
    const client = scene.client({ retry: { ...RETRY, silenceMs: 300 } });
    await expectComplete(scene, scene.pull({}, client));
    expect(scene.waits.filter(({ message }) => message.includes('silent for 0.3 s'))).toHaveLength(
      3,
    );
  });

  test.concurrent('5xx for ever: bounded tries', async () => {
    await using scene = await Scene.begin({ faults: { status: { on: 'read', status: 500 } } });
    const error = await catchFailure(scene.pull(), 'NETWORK');
    expect(error).toMatchObject({
      status: 500,
      hint: expect.stringMatching(/service is at fault/),
    });
    expect(error.message).toContain('500 Internal Server Error');
    expect(scene.count('read')).toBe(RETRY_POLICY.attempts);
  });

  test.concurrent.each([
    [401, 'UNAUTHORIZED', /401 Unauthorized/, /token/],
    [400, 'REFUSED', /400 Bad Request: the month is odd/, undefined],
    [404, 'NOT_FOUND', /Not Found/, /merchant/],
    [413, 'REFUSED', /413/, undefined],
  ] as const)('%i stops at once', async (status, code, message, hint) => {
    const faults: Faults = { status: { on: 'create', status, details: 'the month is odd' } };
    await using scene = await Scene.begin({ faults, ...LONG });
    const error = await catchFailure(scene.pull(LONG), code);
    expect(error.message).toMatch(message);
    if (hint) expect(error.hint).toMatch(hint);
    expect(scene.count('create')).toBe(1);
    expect(await contents(scene.out)).toEqual({});
    expect(`${error.message} ${error.hint}`).not.toContain(scene.fake.token);
  });

  test.concurrent('what it says is shown as one line of bounded length', async () => {
    const body = JSON.stringify({
      message: '400 Bad\u001b[2J\nRequest',
      details: 'because '.repeat(100_000),
    });
    await using scene = await Scene.begin({
      faults: { status: { on: 'create', status: 400, body } },
    });
    const error = await catchFailure(scene.pull(), 'REFUSED');
    expect(error.message).toMatch(/answered 400 Bad \[2J Request: because because/);
    expect(error.message).not.toMatch(/\p{Cc}/u);
    expect(error.message.length).toBeLessThan(600);
  });

  test.concurrent('429 to every other request: slows down and recovers', async () => {
    const on = ['create', 'read', 'file'] as const;
    await using scene = await Scene.begin({ faults: { status: { on, status: 429, every: 2 } } });
    await expectComplete(scene, scene.pull());
    expect(scene.waits.every(({ reason }) => reason === 'rate')).toBe(true);
    expect(scene.waits.length).toBeGreaterThanOrEqual(5);
    expect(scene.fake.requests.length).toBeLessThan(25);
  });

  test.concurrent('429 for ever: bounded', async () => {
    await using scene = await Scene.begin({ faults: { status: { on: 'create', status: 429 } } });
    const client = scene.client({ retry: { ...RETRY, rateLimited: 4 } });
    const error = await catchFailure(scene.pull({}, client), 'UNAVAILABLE');
    expect(error.hint).toMatch(/too many requests/i);
    expect(scene.count('create')).toBe(4);
  });

  test.concurrent.each([
    ['create', 'text/html'],
    ['create', 'application/json'],
    ['read', 'text/html'],
  ] as const)('HTML instead of a %s, as %s', async (on, contentType) => {
    await using scene = await Scene.begin({ faults: { html: { on, contentType } } });
    const result = await scene.pull();
    expect(result.complete).toBe(false);
    expect(result.failed).toMatchObject([{ name: MONTH, code: 'PROTOCOL' }]);
    expect(result.failed[0]?.message).toMatch(/instead of JSON: .*Welcome to our Wi-Fi!/);
    expect(result.failed[0]?.hint).toMatch(/address/);
    expect(result.receipt).toMatchObject({ complete: false, objects: 0, missing: [{}] });
    scene.fake.set({});
    await expectComplete(scene, scene.pull());
  });

  test.concurrent.each([
    { endless: { on: 'read' } },
    { endless: { on: 'read', how: 'space' } },
    { bomb: { on: 'read' } },
    { members: { on: 'read', padBytes: 17 * 1024 * 1024 } },
  ] satisfies Faults[])('an answer without end: %o', async (faults) => {
    await using scene = await Scene.begin({ faults });
    const result = await scene.pull();
    expect(result.failed).toMatchObject([{ code: 'PROTOCOL' }]);
    expect(result.failed[0]?.message).toMatch(/over 16777216 bytes/);
  });
});

describe('redirects of the API', () => {
  test.concurrent.each(['elsewhere', 'same-host', 'loop'])('to %s are not followed', async (to) => {
    await using scene = await Scene.begin({ faults: { redirect: { on: ['create', 'read'], to } } });
    const result = await scene.pull();
    expect(result.failed).toMatchObject([{ code: 'PROTOCOL' }]);
    expect(result.failed[0]?.message).toMatch(/redirects to http:/);
    expect(result.failed[0]?.hint).toMatch(/token is not sent there/);
    expect(scene.fake.requests.filter(({ place }) => place === 'elsewhere')).toEqual([]);
    expect(scene.count('create')).toBe(1);
  });
});
