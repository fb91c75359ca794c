import { afterEach, expect, test, vi } from 'vitest';
import { Watch } from '../src/watch.ts';

afterEach(() => vi.restoreAllMocks());

/** A watch whose check does what the test says. */
function watching(
  check: () => Promise<void>,
  everyMs = 10,
  boundMs = 50,
): { watch: Watch; changes: unknown[] } {
  const changes: unknown[] = [];
  const onChange = (fault: unknown): void => void changes.push(fault);
  return { watch: new Watch({ check, everyMs, boundMs, onChange }), changes };
}

test('before the first check nothing is good', () => {
  expect(watching(() => Promise.resolve()).watch.isGood).toBe(false);
});

test('a result that is too old is not good: the process was stopped, or its loop blocked', async () => {
  const { watch } = watching(() => Promise.resolve(), 60_000, 500);
  await watch.start();
  expect(watch.isGood).toBe(true);
  const now = performance.now();
  const clock = vi.spyOn(performance, 'now').mockReturnValue(now + 180_000);
  expect(watch.isGood).toBe(true);
  clock.mockReturnValue(now + 180_501);
  expect(watch.isGood).toBe(false);
  await watch.close();
});

test('each change is reported once: the first fault, and that all is well again', async () => {
  const faults = [new Error('first'), new Error('second'), new Error('third')];
  let checks = 0;
  const { watch, changes } = watching(() => {
    const fault = faults[checks++];
    return fault ? Promise.reject(fault) : Promise.resolve();
  });
  await watch.start();
  expect(watch.isGood).toBe(false);
  await expect.poll(() => checks).toBeGreaterThan(5);
  expect(changes).toEqual([faults[0], null]);
  expect(watch.isGood).toBe(true);
  await watch.close();
});

test('a check that is good from the start is not reported', async () => {
  let checks = 0;
  const { watch, changes } = watching(() => {
    checks++;
    return Promise.resolve();
  });
  await watch.start();
  await expect.poll(() => checks).toBeGreaterThan(3);
  await watch.close();
  expect(changes).toEqual([]);
});

test('a check that hangs has failed, and closing does not wait for it', async () => {
  const { watch, changes } = watching(() => new Promise(() => undefined));
  await watch.start();
  expect(watch.isGood).toBe(false);
  expect(changes).toEqual([new Error('no result within 50 ms')]);
  await watch.close();
});

test('after closing, nothing is checked any more', async () => {
  let checks = 0;
  const { watch } = watching(() => {
    checks++;
    return Promise.resolve();
  });
  await watch.start();
  await watch.close();
  const before = checks;
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
  expect(checks).toBe(before);
});
