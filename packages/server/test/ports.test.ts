import { expect, test } from 'vitest';
import { isRefusedPort, listenOnUsablePort } from '../src/start/ports.ts';

/** Tells whether this Node's fetch refuses the port before it connects. */
async function isRefusedHere(url: string): Promise<boolean> {
  const stopping = new AbortController();
  const answer = fetch(url, { signal: stopping.signal }).then(
    () => '',
    (error: Error) => (error.cause instanceof Error ? error.cause.message : error.message),
  );
  await Promise.race([
    answer,
    new Promise((resolve) => {
      setImmediate(resolve);
    }),
  ]);
  stopping.abort();
  return (await answer) === 'bad port';
}

test('the fetch of this Node refuses the same ports', async () => {
  const all = Array.from({ length: 65_535 }, (_, i) => i + 1);
  const ours = all.filter((port) => isRefusedPort(`http://127.0.0.1:${port}`));
  expect(ours).toHaveLength(82);
  // Each of them, and its neighbours; all ports would take a minute.
  const around = new Set(ours.flatMap((port) => [port - 1, port, port + 1]));
  for (const port of [0, 80, 443]) around.delete(port);
  const wrong: number[] = [];
  for (const port of around) {
    const url = `http://127.0.0.1:${port}/`;
    if (isRefusedPort(url) !== (await isRefusedHere(url))) wrong.push(port);
  }
  expect(wrong).toEqual([]);
});

test.each([
  'http://127.0.0.1:8080',
  'https://exports.example.com',
  'http://example.com:80',
  'http://[::1]:6001',
])('%s is not', (url) => {
  expect(isRefusedPort(url)).toBe(false);
});

test('a picked port that is refused is picked again, ten times at most', async () => {
  const closed: string[] = [];
  const picks = ['http://h:6000', 'http://h:10080', 'http://h:40000', 'http://h:6666'];
  const listen = (): Promise<{ url: string; close: () => Promise<void> }> => {
    const url = picks.shift() ?? 'http://h:6000';
    return Promise.resolve({ url, close: () => Promise.resolve(void closed.push(url)) });
  };
  expect((await listenOnUsablePort(listen)).url).toBe('http://h:40000');
  expect(closed).toEqual(['http://h:6000', 'http://h:10080']);
  closed.length = 0;
  picks.length = 0;
  expect((await listenOnUsablePort(listen)).url).toBe('http://h:6000');
  expect(closed).toHaveLength(9);
});
