import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExportError } from '../src/errors.ts';
import { RateLimiter } from '../src/http/rate-limiter.ts';
import { backoffMs, RETRY_POLICY, sleep, throwIfAborted } from '../src/http/retry.ts';

/** Begins of requests, ms. */
async function begins(
  limiter: RateLimiter,
  count: number,
  each = async (): Promise<void> => {},
): Promise<number[]> {
  const times: number[] = [];
  await Promise.all(
    Array.from({ length: count }, () =>
      limiter.run(undefined, async () => {
        times.push(performance.now());
        await each();
      }),
    ),
  );
  return times;
}

function gaps(times: readonly number[]): number[] {
  return times.slice(1).map((time, i) => time - (times[i] as number));
}

describe('requests that carry the token', () => {
  test('are never over 16 in a second', async () => {
    const times = await begins(new RateLimiter(), 20);
    // The first 17 take longer than a second.
    for (const [i, time] of times.entries())
      if (i >= 16) expect(time - (times[i - 16] as number)).toBeGreaterThan(1000);
    expect(Math.min(...gaps(times))).toBeGreaterThan(1000 / 16);
  });

  test('are one at a time, in the order in which they were asked for', async () => {
    const limiter = new RateLimiter();
    const log: string[] = [];
    const request = (name: string, ms: number): Promise<string> =>
      limiter.run(undefined, async () => {
        log.push(`${name} begins`);
        await sleep(ms, undefined);
        log.push(`${name} ends`);
        return name;
      });
    expect(await Promise.all([request('a', 90), request('b', 1), request('c', 5)])).toEqual([
      'a',
      'b',
      'c',
    ]);
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });

  test('go on after one that failed, and after one that was given up', async () => {
    const limiter = new RateLimiter();
    const abort = new AbortController();
    const first = limiter.run(undefined, () => Promise.reject(new Error('no')));
    let ran = false;
    const second = limiter.run(abort.signal, async () => {
      ran = true;
    });
    const third = limiter.run(undefined, async () => 'third');
    abort.abort();
    await expect(first).rejects.toThrow('no');
    await expect(second).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(await third).toBe('third');
    expect(ran).toBe(false);
  });

  test('wait for one that is under way no longer than their signal allows', async () => {
    const limiter = new RateLimiter();
    const first = Promise.withResolvers<void>();
    const running = limiter.run(undefined, () => first.promise);
    const abort = new AbortController();
    const second = limiter.run(abort.signal, async () => 'second');
    let hasRun = false;
    const third = limiter.run(undefined, async () => {
      hasRun = true;
    });
    abort.abort();
    await expect(second).rejects.toMatchObject({ code: 'INTERRUPTED' });
    // The one that gave up does not let the third run beside the first.
    await new Promise(setImmediate);
    expect(hasRun).toBe(false);
    first.resolve();
    await Promise.all([running, third]);
    expect(hasRun).toBe(true);
  });

  test('are half as fast after a 429, and recover', async () => {
    const limiter = new RateLimiter();
    await limiter.run(undefined, async () => undefined);
    limiter.slowDown();
    limiter.slowDown();
    const slow = gaps(await begins(limiter, 3));
    expect(Math.min(...slow)).toBeGreaterThan(240);
    for (let i = 0; i < 10; i++) limiter.speedUp();
    const fast = gaps(await begins(limiter, 5)).slice(1);
    // A busy machine may be late, but not each time.
    expect(Math.min(...fast)).toBeLessThan(120);
    expect(Math.min(...fast)).toBeGreaterThan(1000 / 16);
  });

  test('never slow down to a standstill', async () => {
    const limiter = new RateLimiter();
    for (let i = 0; i < 200; i++) limiter.slowDown();
    // From 5 s to the fastest takes so many good answers, and no more.
    for (let i = 0; i < 20; i++) limiter.speedUp();
    expect(Math.min(...gaps(await begins(limiter, 4)))).toBeLessThan(120);
  });
});

describe('backing off', () => {
  test('is jittered fully, and bounded', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), (attempt) => {
        const ms = backoffMs(attempt, RETRY_POLICY);
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(
          Math.min(RETRY_POLICY.capMs, RETRY_POLICY.baseMs * 2 ** attempt),
        );
      }),
    );
    const many = Array.from({ length: 2000 }, () => backoffMs(3, RETRY_POLICY));
    const bound = RETRY_POLICY.baseMs * 8;
    expect(Math.min(...many)).toBeLessThan(bound / 10);
    expect(Math.max(...many)).toBeGreaterThan((bound * 9) / 10);
  });

  test('sits out five minutes of an outage on average, as is said', () => {
    let expected = 0;
    for (let attempt = 1; attempt < RETRY_POLICY.attempts; attempt++)
      expected += Math.min(RETRY_POLICY.capMs, RETRY_POLICY.baseMs * 2 ** attempt) / 2;
    expect(expected).toBeGreaterThan(3 * 60_000);
  });

  test('ends with the signal', async () => {
    const abort = new AbortController();
    const waiting = sleep(60_000, abort.signal);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(() => throwIfAborted(abort.signal)).toThrow(ExportError);
    expect(() => throwIfAborted(undefined)).not.toThrow();
  });
});
