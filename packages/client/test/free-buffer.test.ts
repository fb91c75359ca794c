import { expect, test } from 'vitest';
import { freeBuffer } from '../src/assemble/free-buffer.ts';

test('a large buffer is freed', () => {
  for (const buffer of [
    Buffer.allocUnsafe(1_000_000),
    Buffer.alloc(200_000).subarray(0, 199_000),
  ]) {
    freeBuffer(buffer);
    expect(buffer.length).toBe(0);
  }
});

test('memory that other buffers use, too, is left alone', () => {
  // Buffers of all sizes that come from a shared pool, at every position in it.
  const buffers = Array.from({ length: 20_000 }, (_, i) =>
    Buffer.allocUnsafe(1 + ((i * 37) % (Buffer.poolSize / 2 + 64))).fill(i % 251),
  );
  for (const buffer of buffers.filter((_, i) => i % 2 === 0)) freeBuffer(buffer);
  const whole = Buffer.alloc(300_000, 'x');
  freeBuffer(whole.subarray(200_000));
  freeBuffer(whole.subarray(0, 1000));
  expect(whole.length).toBe(300_000);
  for (const [i, buffer] of buffers.entries())
    if (i % 2 === 1)
      expect(buffer.length > 0 && buffer.every((byte) => byte === i % 251)).toBe(true);
});
