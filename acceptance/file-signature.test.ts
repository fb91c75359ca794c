import { beforeAll, describe, expect, test } from 'vitest';
import { download, type Finished, HOUR, line, main, choosePeriod } from './api.ts';
import { type Answer, exact } from './exact-requests.ts';
import { expectError } from './error-shapes.ts';

const START = choosePeriod(2019);

const span = (n: number): number => START + n * HOUR;

describe('one file over HTTP', () => {
  let done: Finished;

  let url: string;

  let plain: Answer;

  beforeAll(async () => {
    const start = span(4000);
    const lines = Array.from({ length: 1001 }, (_, i) =>
      line(start + i, { note: `caf\u00e9 ${i} \u{1f950}`, total: i * 7 }),
    );
    await main.load('ORDERS', lines);
    done = await main.export('ORDERS', start, start + 2000);
    url = done.urls[0] ?? '';
    plain = await download(url);
  });

  describe('the signature is compared as the full text it was issued as: altered or missing is 403', () => {
    const altered = async (text: string): Promise<void> => {
      expect(text).not.toBe(url);
      const details = expectError(await download(text), 403);
      expect(details).not.toContain(signature());
    };
    const signature = (): string => /[0-9a-f]{16,}$/.exec(url)?.[0] ?? '';
    const unsigned = (): string => url.slice(0, url.length - signature().length);

    test('the URL ends with a signature in hex', () => {
      for (const one of done.urls) expect(one).toMatch(/[0-9a-f]{32,}$/);
    });

    test('one character, at every place', async () => {
      const hex = signature();
      for (let i = 0; i < hex.length; i++) {
        const digit = ((Number.parseInt(hex[i] ?? '0', 16) + 1) % 16).toString(16);
        await altered(unsigned() + hex.slice(0, i) + digit + hex.slice(i + 1));
      }
    });

    test('upper case', async () => {
      await altered(unsigned() + signature().toUpperCase());
      const firstLetter = signature().search(/[a-f]/);
      const one = signature();
      await altered(
        unsigned() +
          one.slice(0, firstLetter) +
          (one[firstLetter] ?? '').toUpperCase() +
          one.slice(firstLetter + 1),
      );
    });

    test('truncated, prolonged, doubled', async () => {
      const hex = signature();
      for (const sig of [
        hex.slice(0, -1),
        hex.slice(0, -2),
        hex.slice(0, 16),
        hex.slice(1),
        `${hex}0`,
        `${hex}00`,
        hex + hex,
        `0${hex}`,
      ]) {
        await altered(unsigned() + sig);
      }
      await altered(`${url}%20`);
      await altered(`${url}%00`);
      await altered(`${url}/`);
    });

    test('written in another way: percent-encoded', async () => {
      const hex = signature();
      const code = `%${(hex.codePointAt(0) ?? 0).toString(16)}`;
      await altered(unsigned() + code + hex.slice(1));
    });

    test('missing', async () => {
      await altered(unsigned());
      const withoutQuery = url.split('?')[0] ?? '';
      if (withoutQuery !== url) await altered(withoutQuery);
      await altered(unsigned() + '0'.repeat(signature().length));
    });

    test('with an extra query parameter, before or after', async () => {
      const join = url.includes('?') ? '&' : '?';
      await altered(`${url}${join}x=1`);
      await altered(`${url}${join}`);
      if (url.includes('?')) {
        await altered(url.replace('?', '?x=1&'));
        await altered(`${url}&${url.slice(url.indexOf('?') + 1)}`);
      }
    });

    test('swapped between two files', async () => {
      const second = done.urls[1] ?? '';
      const theirs = /[0-9a-f]{16,}$/.exec(second)?.[0] ?? '';
      expect(theirs).not.toBe(signature());
      await altered(unsigned() + theirs);
      await altered(second.slice(0, second.length - theirs.length) + signature());
    });

    test('any digit of the path or the query before it changed: never a file', async () => {
      const { origin } = new URL(url);
      for (let i = origin.length; i < unsigned().length; i++) {
        const char = url[i] ?? '';
        if (!/[0-9A-Za-z]/.test(char)) continue;
        const changed = char === '1' ? '2' : char === 'a' ? 'b' : /\d/.test(char) ? '1' : 'a';
        const answer = await download(url.slice(0, i) + changed + url.slice(i + 1));
        // A changed name of the route is an unknown route; what the signature covers is 403.
        expect(answer.status, `${i}: ${char} -> ${changed}`).toBeOneOf([403, 404]);
      }
    });

    test('with a good token beside it, by HEAD, with Range, If-None-Match', async () => {
      const bad = unsigned() + signature().replace(/.$/, (last) => (last === '0' ? '1' : '0'));
      expectError(await download(bad, main.auth), 403);
      expectError(await download(bad, { range: 'bytes=0-9' }), 403);
      expectError(await download(bad, { 'if-none-match': '*' }), 403);
      const { origin } = new URL(bad);
      const head = await exact(origin, bad.slice(origin.length), { method: 'HEAD' });
      expect(head.status).toBe(403);
      expect(head.bytes).toHaveLength(0);
    });

    test('and the right one still opens the file', async () => {
      expect((await download(url)).bytes.equals(plain.bytes)).toBe(true);
    });
  });
});
