import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { RepeatedGzip } from '../tools/repeated-gzip.ts';

test.each([
  ['\n', 1],
  ['one line\n', 1_000],
  ['a'.repeat(100_000), 64],
])('inflates to its pattern, repeated (%#)', (text, times) => {
  const gzip = new RepeatedGzip(Buffer.from(text), times);
  const blocks = Array.from({ length: times }, () => gzip.block);
  const stream = Buffer.concat([gzip.header, ...blocks, gzip.trailer()]);
  expect(gunzipSync(stream).equals(Buffer.from(text.repeat(times)))).toBe(true);
});
