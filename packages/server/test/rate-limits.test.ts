import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HttpError } from '../src/http/errors.ts';
import { RateLimits } from '../src/http/rate-limits.ts';

const CLOVER = { token: { perSecond: 16, atOnce: 5 }, app: { perSecond: 50, atOnce: 10 } };
const ONE = { merchantId: 'M1', appId: 'A' };

/** Limits whose clock a test moves. */
function makeLimits(
  settings = CLOVER,
  processes = 1,
): { limits: RateLimits; clock: { now: number } } {
  const clock = { now: 0 };
  const limits = new RateLimits(
    settings,
    () => processes,
    () => clock.now,
  );
  return { limits, clock };
}

/** The header that a refusal names, or nothing. */
function refusal(limits: RateLimits, who = ONE): string | undefined {
  try {
    limits.admit(who)();
    return undefined;
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    expect(error.status).toBe(429);
    expect(error.body).toEqual({ message: '429 Too Many Requests' });
    expect(error.headers['retry-after']).toBe('1');
    const [name = '', value] = Object.entries(error.headers)[0] ?? [];
    return `${name}: ${value}`;
  }
}

describe('a token', () => {
  test('may ask 16 times in any second, by a window that slides', () => {
    const { limits, clock } = makeLimits();
    for (let n = 0; n < 16; n++) {
      clock.now = n * 10;
      expect(refusal(limits)).toBeUndefined();
    }
    clock.now = 999;
    expect(refusal(limits)).toBe('X-RateLimit-tokenLimit: 16');
    // The first one is a second ago.
    clock.now = 1_000;
    expect(refusal(limits)).toBeUndefined();
    expect(refusal(limits)).toBe('X-RateLimit-tokenLimit: 16');
    // A refusal does not count.
    clock.now = 1_010;
    expect(refusal(limits)).toBeUndefined();
  });

  test('may have five at once; one that ends, or waits, makes room', () => {
    const { limits } = makeLimits();
    const stops = Array.from({ length: 5 }, () => limits.admit(ONE));
    expect(refusal(limits)).toBe('X-RateLimit-tokenConcurrentLimit: 5');
    stops[0]?.();
    stops[0]?.();
    const again = limits.admit(ONE);
    expect(refusal(limits)).toBe('X-RateLimit-tokenConcurrentLimit: 5');
    again();
  });

  test('never asks too often at four times a second', () => {
    const { limits, clock } = makeLimits();
    for (let n = 0; n < 100; n++) {
      clock.now = n * 250;
      expect(refusal(limits)).toBeUndefined();
    }
  });
});

describe('an app', () => {
  const of = (n: number) => ({ merchantId: `M${n}`, appId: 'A' });

  test('may ask 50 times in any second, and 10 at once, over all its tokens', () => {
    const { limits, clock } = makeLimits();
    const stops = Array.from({ length: 10 }, (_, n) => limits.admit(of(n)));
    expect(refusal(limits, of(99))).toBe('X-RateLimit-crossTokenConcurrentLimit: 10');
    expect(refusal(limits, { merchantId: 'M99', appId: 'B' })).toBeUndefined();
    for (const stop of stops) stop();
    for (let n = 0; n < 40; n++) expect(refusal(limits, of(n))).toBeUndefined();
    expect(refusal(limits, of(99))).toBe('X-RateLimit-crossTokenLimit: 50');
    clock.now = 1_000;
    expect(refusal(limits, of(99))).toBeUndefined();
  });
});

test('each of three processes takes its share, rounded up', () => {
  const { limits } = makeLimits(CLOVER, 3);
  for (let n = 0; n < 6; n++) expect(refusal(limits)).toBeUndefined();
  expect(refusal(limits)).toBe('X-RateLimit-tokenLimit: 16');
});

test('in no window of a second more than the limit is admitted, and what is refused was above it', () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 120 });
  fc.assert(
    fc.property(gaps, (waits) => {
      const { limits, clock } = makeLimits({ ...CLOVER, app: { perSecond: 999, atOnce: 999 } });
      const admitted: number[] = [];
      for (const wait of waits) {
        clock.now += wait;
        const within = admitted.filter((moment) => moment > clock.now - 1_000).length;
        expect(refusal(limits) === undefined).toBe(within < 16);
        if (within < 16) admitted.push(clock.now);
      }
    }),
  );
});
