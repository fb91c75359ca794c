import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExportError } from '../src/errors.ts';
import { backoffMs, RETRY_POLICY, sleep, throwIfAborted } from '../src/http/backoff.ts';
import { Pace } from '../src/http/pace.ts';

/** Begins of requests, ms. */
async function begins(
  pace: Pace,
  count: number,
  each = async (): Promise<void> => {},
): Promise<number[]> {
  const times: number[] = [];
  await Promise.all(
    Array.from({ length: count }, () =>
      pace.take(undefined, async () => {
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
    const times = await begins(new Pace(), 20);
    // The first 17 take longer than a second.
    for (const [i, time] of times.entries())
      if (i >= 16) expect(time - (times[i - 16] as number)).toBeGreaterThan(1000);
    expect(Math.min(...gaps(times))).toBeGreaterThan(1000 / 16);
  });

  test('are one at a time, in the order in which they were asked for', async () => {
    const pace = new Pace();
    const log: string[] = [];
    const request = (name: string, ms: number): Promise<string> =>
      pace.take(undefined, async () => {
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
    const pace = new Pace();
    const abort = new AbortController();
    const first = pace.take(undefined, () => Promise.reject(new Error('no')));
    let ran = false;
    const second = pace.take(abort.signal, async () => {
      ran = true;
    });
    const third = pace.take(undefined, async () => 'third');
    abort.abort();
    await expect(first).rejects.toThrow('no');
    await expect(second).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(await third).toBe('third');
    expect(ran).toBe(false);
  });

  test('are half as fast after a 429, and recover', async () => {
    const pace = new Pace();
    await pace.take(undefined, async () => undefined);
    pace.slower();
    pace.slower();
    const slow = gaps(await begins(pace, 3));
    expect(Math.min(...slow)).toBeGreaterThan(240);
    for (let i = 0; i < 10; i++) pace.faster();
    const fast = gaps(await begins(pace, 5)).slice(1);
    // A busy machine may be late, but not each time.
    expect(Math.min(...fast)).toBeLessThan(120);
    expect(Math.min(...fast)).toBeGreaterThan(1000 / 16);
  });

  test('never slow down to a standstill', async () => {
    const pace = new Pace();
    for (let i = 0; i < 200; i++) pace.slower();
    // From 5 s to the fastest takes so many good answers, and no more.
    for (let i = 0; i < 20; i++) pace.faster();
    expect(Math.min(...gaps(await begins(pace, 4)))).toBeLessThan(120);
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
