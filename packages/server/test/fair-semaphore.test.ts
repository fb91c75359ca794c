import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FairSemaphore, Overloaded } from '../src/fair-semaphore.ts';

const LIMITS = { permits: 1, waiting: 100, waitMs: 10_000 };

describe('turns', () => {
  test('a key with many waiters delays another key by one turn', async () => {
    const semaphore = new FairSemaphore(LIMITS);
    const order: string[] = [];
    const release = await semaphore.acquire('holder');
    const all = ['many', 'many', 'many', 'many', 'one', 'many'].map((key, n) =>
      semaphore.run(key, async () => {
        order.push(`${key}${n}`);
        await Promise.resolve();
      }),
    );
    release();
    await Promise.all(all);
    expect(order).toEqual(['many0', 'one4', 'many1', 'many2', 'many3', 'many5']);
  });

  test('a key at its own limit does not hold up the others', async () => {
    const semaphore = new FairSemaphore({ ...LIMITS, permits: 2, permitsPerKey: 1 });
    const first = await semaphore.acquire('a');
    const waiting = semaphore.acquire('a');
    const other = await semaphore.acquire('b');
    expect([semaphore.holding, semaphore.waiting]).toEqual([2, 1]);
    first();
    (await waiting)();
    other();
    expect([semaphore.holding, semaphore.waiting]).toEqual([0, 0]);
  });

  test('releasing twice gives one permit back', async () => {
    const semaphore = new FairSemaphore(LIMITS);
    const release = await semaphore.acquire('a');
    release();
    const again = await semaphore.acquire('a');
    release();
    expect(semaphore.holding).toBe(1);
    again();
  });
});

describe('refusals', () => {
  test('one waiter too many, of one key and over all, is refused at once', async () => {
    const semaphore = new FairSemaphore({ ...LIMITS, waiting: 2, waitingPerKey: 1 });
    const release = await semaphore.acquire('a');
    const waiting = ['a', 'b'].map((key) => semaphore.acquire(key));
    await expect(semaphore.acquire('a')).rejects.toThrow(Overloaded);
    await expect(semaphore.acquire('c')).rejects.toThrow(Overloaded);
    release();
    for (const next of waiting) (await next)();
    expect([semaphore.holding, semaphore.waiting]).toEqual([0, 0]);
  });

  test('keys that fill the queue lose their newest waiters to a newcomer', async () => {
    const semaphore = new FairSemaphore({ ...LIMITS, waiting: 6 });
    const release = await semaphore.acquire('holder');
    const many = [1, 2, 3].flatMap((n) =>
      ['a', 'b'].map((key) => semaphore.run(key, () => Promise.resolve(`${key}${n}`))),
    );
    const newcomer = semaphore.run('c', () => Promise.resolve('c'));
    const second = semaphore.run('c', () => Promise.resolve('c'));
    await expect(semaphore.acquire('c')).rejects.toThrow(Overloaded);
    release();
    expect(await newcomer).toBe('c');
    expect(await second).toBe('c');
    const outcomes = await Promise.allSettled(many);
    expect(outcomes.map((outcome) => outcome.status === 'fulfilled' && outcome.value)).toEqual([
      'a1',
      'b1',
      'a2',
      'b2',
      false,
      false,
    ]);
  });

  test('a wait ends with its time, and with its signal', async () => {
    const semaphore = new FairSemaphore({ ...LIMITS, waitMs: 20 });
    const release = await semaphore.acquire('a');
    const leaving = new AbortController();
    const aborted = semaphore.acquire('b', leaving.signal);
    leaving.abort(new Error('left'));
    await expect(aborted).rejects.toThrow('left');
    await expect(semaphore.acquire('b')).rejects.toThrow('no turn within 20 ms');
    expect(semaphore.waiting).toBe(0);
    release();
  });
});

test('no order of asking and leaving loses a permit or exceeds a limit', async () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    holdMs: fc.integer({ min: 0, max: 2 }),
    leaves: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const semaphore = new FairSemaphore({
        permits: 3,
        permitsPerKey: 2,
        waiting: 8,
        waitingPerKey: 5,
        waitMs: 1000,
      });
      const running = new Map<string, number>();
      const outcomes = await Promise.allSettled(
        steps.map(async ({ key, holdMs, leaves }) => {
          const signal = leaves ? AbortSignal.timeout(1) : undefined;
          await semaphore.run(
            key,
            async () => {
              running.set(key, (running.get(key) ?? 0) + 1);
              expect(running.get(key)).toBeLessThanOrEqual(2);
              expect(semaphore.holding).toBeLessThanOrEqual(3);
              await delay(holdMs);
              running.set(key, (running.get(key) ?? 0) - 1);
            },
            signal,
          );
        }),
      );
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') {
          expect((outcome.reason as Error).name).toMatch(/^(Overloaded|TimeoutError)$/);
        }
      }
      expect([semaphore.holding, semaphore.waiting]).toEqual([0, 0]);
    }),
    { numRuns: 50 },
  );
});
