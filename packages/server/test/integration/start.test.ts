import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { makePlace, type Place } from './place.ts';
import { endChildren, startChild } from './process.ts';

let place: Place;
beforeEach(async () => {
  place = await makePlace();
});
afterEach(async () => {
  await endChildren();
  await place.remove();
});
afterAll(endChildren);

const WARNING = 'browsers and fetch() refuse';

test.each([
  [{ PORT: '6697' }, 6697],
  [{ TILLROLL_PUBLIC_URL: 'http://exports.example.com:10080' }, 10_080],
])('a port that browsers and fetch refuse is warned of at start: %j', async (more, port) => {
  const child = await startChild('serve', place.environment(more as Record<string, string>));
  const lines = child
    .log()
    .trim()
    .split('\n')
    .filter((line) => line.includes(WARNING));
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '{}')).toMatchObject({ level: 'warn', port });
});

test('of any other port nothing is said', async () => {
  const child = await startChild('serve', place.environment());
  expect(child.log()).not.toContain(WARNING);
});
