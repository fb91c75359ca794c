import { OBJECTS_PER_FILE } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import { MAX_OBJECT_BYTES, ObjectReader } from '../src/json/object-reader.ts';
import { refusal } from './object-reader-scene.ts';

describe('a raw file', () => {
  test.each([
    [
      '<!doctype html><html><body>Service unavailable</body></html>',
      /does not begin with \{"elements":\[/,
    ],
    ['[{"id":"A","createdTime":1}]', /does not begin with/],
    ['{"element":[]}', /does not begin with/],
    ['{"href":"x","elements":[]}', /does not begin with/],
    ['\u00a0{"elements":[]}', /does not begin with/],
    ['{"elements":[]}x', /the end expected \(byte 15, after 0 objects\)/],
    ['{"elements":[]}{"elements":[]}', /the end expected/],
    ['{"elements":[],"href":"x"}', /'}' expected \(byte 14/],
    ['{"elements":[,]}', /an object expected/],
    [
      '{"elements":[{"id":"A","createdTime":1},]}',
      /an object expected \(byte 40, after 1 objects\)/,
    ],
    ['{"elements":[{"id":"A","createdTime":1} {"id":"B","createdTime":1}]}', /',' or ']' expected/],
    ['{"elements":[null]}', /an object expected/],
    ['{"elements":[{"createdTime":1}]}', /object 1 has no id \(byte 13/],
    ['{"elements":[{"id":"","createdTime":1}]}', /object 1 has no id/],
    ['{"elements":[{"id":7,"createdTime":1}]}', /object 1 has no id/],
    ['{"elements":[{"id":"A"}]}', /object A has no createdTime/],
    ['{"elements":[{"id":"A","createdTime":"1"}]}', /object A has no createdTime/],
    ['{"elements":[{"id":"A","createdTime":1.5}]}', /object A has no createdTime/],
    ['{"elements":[{"id":"A","createdTime":1e300}]}', /object A has no createdTime/],
    ['{"elements":[{"id":"A","createdTime":-1}]}', /object A has no createdTime/],
    ['{"elements":[{"id":"A","createdTime":8640000000000001}]}', /object A has no createdTime/],
  ])('%j is refused', (text, why) => {
    expect(refusal('elements', text)).toMatch(why);
  });

  test('must be UTF-8 in every byte of an object', () => {
    const around = (bytes: number[]): Buffer =>
      Buffer.concat([
        Buffer.from('{"elements":[{"id":"A","createdTime":1,"note":"'),
        Buffer.from(bytes),
        Buffer.from('"}]}'),
      ]);
    for (const bytes of [
      [0x80],
      [0xc3],
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xff],
      [0xe2, 0x82],
    ])
      expect(refusal('elements', around(bytes)), bytes.join()).toMatch(/object A is not UTF-8/);
    expect(refusal('elements', around([0xe2, 0x82, 0xac]))).toBeUndefined();
  });

  test('may hold only ids that can be told apart and are not a burden', () => {
    const of = (id: string): string => `{"elements":[{"id":"${id}","createdTime":1}]}`;
    expect(refusal('elements', of('x'.repeat(256)))).toBeUndefined();
    expect(refusal('elements', of('x'.repeat(257)))).toMatch(/object 1 has an id of over 256/);
    expect(refusal('elements', of('x'.repeat(70_000)))?.length).toBeLessThan(200);
    expect(refusal('elements', of('\\ud800'))).toMatch(/object 1 has an id/);
    expect(refusal('elements', of('\\ud83d\\ude00'))).toBeUndefined();
  });

  test('may hold an object of 64 MiB, and none that is larger', () => {
    const head = '{"elements":[{"id":"A","createdTime":1,"note":"';
    const tail = '"}]}';
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    const openReader = (): ObjectReader => {
      const reader = new ObjectReader('elements', () => undefined);
      reader.push(Buffer.from(head));
      return reader;
    };
    const fits = openReader();
    for (let i = 0; i < 63; i++) fits.push(chunk);
    fits.push(Buffer.from(tail));
    fits.end();
    expect(fits.objects).toBe(1);
    const tooLarge = openReader();
    let pushed = 0;
    expect(() => {
      for (; pushed < 200; pushed++) tooLarge.push(chunk);
    }).toThrow(/an object is over 64 MiB/);
    // Refused when it is known, not when memory is full of it.
    expect(pushed * chunk.length).toBeLessThanOrEqual(2 * MAX_OBJECT_BYTES + chunk.length);
  });

  test('may hold so many objects and no more: what is kept of each adds up', () => {
    const some = Buffer.from(',{"id":"A","createdTime":1}'.repeat(OBJECTS_PER_FILE));
    const reader = new ObjectReader('elements', () => undefined);
    reader.push(Buffer.from('{"elements":['));
    reader.push(some.subarray(1));
    for (let i = 1; i < 100; i++) reader.push(some);
    expect(reader.objects).toBeLessThanOrEqual(100 * OBJECTS_PER_FILE);
    expect(() => {
      for (let i = 0; i < 10; i++) reader.push(some);
    }).toThrow(/it holds more than 100000 objects/);
  });

  test('that cannot be one is refused with its first bytes', () => {
    const reader = new ObjectReader('elements', () => undefined);
    expect(() => reader.push(Buffer.from('<html>'))).toThrow(/does not begin with/);
  });

  test('may not be endless blanks', () => {
    const reader = new ObjectReader('elements', () => undefined);
    reader.push(Buffer.from('{"elements":['));
    expect(() => {
      for (let i = 0; i < 100; i++) reader.push(Buffer.alloc(64 * 1024, ' '));
    }).toThrow(/something other than blanks expected/);
  });
});
