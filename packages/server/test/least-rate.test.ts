import { describe, expect, test } from 'vitest';
import { LeastRate } from '../src/http/least-rate.ts';

const SECOND = 1000;
const TICK = 5 * SECOND;

/** The first moment at which a peer is found too slow, seconds; null when it never is. */
function cutAfter(
  seconds: number,
  acceptedAt: (second: number) => number,
  isWaiting = true,
): number | null {
  const rate = new LeastRate();
  rate.resume(0, 0);
  for (let now = TICK; now <= seconds * SECOND; now += TICK) {
    if (rate.isTooSlow(now, acceptedAt(now / SECOND), isWaiting)) return now / SECOND;
  }
  return null;
}

const HOUR = 3600;

describe('who is cut', () => {
  test('a peer that takes nothing, after half a minute', () => {
    expect(cutAfter(HOUR, () => 0)).toBe(35);
  });

  test('a peer whose buffers took megabytes before it stopped, after a minute and a half', () => {
    expect(cutAfter(HOUR, () => 4_000_000)).toBeLessThanOrEqual(100);
    expect(cutAfter(HOUR, () => 400_000_000)).toBeLessThanOrEqual(100);
  });

  test('a peer that dribbles', () => {
    expect(cutAfter(HOUR, (second) => 8_000 * second)).toBeLessThanOrEqual(70);
  });
});

describe('who is not', () => {
  test.each([16_000, 20_000, 1_000_000])('a peer that takes %i bytes a second', (speed) => {
    expect(cutAfter(HOUR, (second) => speed * second)).toBeNull();
  });

  test('a peer at 20 kB/s whose progress shows once in 73 s, as measured', () => {
    const accepted = (second: number): number => {
      if (second < 21) return 3_867_286;
      return 5_374_821 + Math.floor((second - 21) / 73) * 1_441_990;
    };
    expect(cutAfter(HOUR, accepted)).toBeNull();
  });

  test('a peer for which nothing waits: the pause is ours', () => {
    expect(cutAfter(HOUR, () => 0, false)).toBeNull();
  });

  test('a peer between two downloads', () => {
    const rate = new LeastRate();
    rate.resume(0, 0);
    expect(rate.isTooSlow(25 * SECOND, 0, true)).toBe(false);
    rate.resume(HOUR * SECOND, 0);
    expect(rate.isTooSlow(HOUR * SECOND + SECOND, 0, true)).toBe(false);
    // The debt from before is kept, too.
    expect(rate.isTooSlow(HOUR * SECOND + 6 * SECOND, 0, true)).toBe(true);
  });
});
