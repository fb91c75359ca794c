import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ExportClient, type ExportError } from '../src/index.ts';
import { contents, expectComplete, catchFailure, makeLines, Scene } from './scene.ts';

const isRoot = process.getuid?.() === 0;

function tmpfs(path: string, size: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

describe('dates that are none', () => {
  test.concurrent.each([
    [
      { from: '2026-01-28', to: '2026-01-08' },
      /^to must be later than from.*2026-01-28.*2026-01-08/,
    ],
    [{ from: '2026-01-08', to: '2026-01-08' }, /to must be later than from/],
    [
      { from: '2026-02-29', to: '2026-03-10' },
      /from must be .*"2026-02-29": 2026-02 has no day 29/,
    ],
    [{ from: '2026-01-08', to: '2026-02-29' }, /to must be .*"2026-02-29": 2026-02 has no day 29/],
    [{ from: '1900-02-29', to: '2026-01-28' }, /1900-02 has no day 29/],
    [{ from: '2026-13-01', to: '2026-01-28' }, /from must be .*"2026-13-01"/],
    [{ from: 'yesterday', to: '2026-01-28' }, /from must be .*"yesterday"/],
    [
      { from: '1767225600', to: '2026-01-28' },
      /"1767225600", which looks like seconds: in milliseconds it is 1767225600000/,
    ],
    [{ from: '2026-01-08', to: '2026-01-28', timezone: 'Mars/Olympus' }, /IANA.*"Mars\/Olympus"/],
  ])('%o', async (options, message) => {
    await using scene = await Scene.begin();
    const error = await catchFailure(scene.pull(options), 'USAGE');
    expect(error.message).toMatch(message);
    // Nothing is asked for, nothing is left behind.
    expect(scene.fake.requests).toEqual([]);
    expect(existsSync(scene.out)).toBe(false);
    const orders = scene.client().orders(options);
    expect((await catchFailure(orders.next(), 'USAGE')).message).toMatch(message);
  });

  test.concurrent('29 February of a leap year is a day', async () => {
    const from = Date.UTC(2024, 1, 28);
    await using scene = await Scene.begin({ from, to: from + 3 * 86_400_000, orders: 30 });
    const result = await scene.pull({ from: '2024-02-29', to: '2024-03-01' });
    const day = Date.UTC(2024, 1, 29);
    const expected = makeLines(scene.fake, ['ORDERS'], day, day + 86_400_000);
    await expectComplete(scene, result, expected);
    expect(Object.keys(expected)).toEqual(['orders/2024-02.jsonl']);
    expect(result.receipt.objects).toBeGreaterThan(5);
  });

  test.concurrent('a day of a zone has 23 hours when summer time begins', async () => {
    const from = Date.UTC(2025, 2, 29);
    await using scene = await Scene.begin({ from, to: from + 3 * 86_400_000, orders: 72 });
    const day = { from: '2025-03-30', to: '2025-03-31', timezone: 'Europe/Berlin' };
    const { receipt } = await scene.pull(day);
    const [start, end] = [Date.UTC(2025, 2, 29, 23), Date.UTC(2025, 2, 30, 22)];
    expect(receipt.spans).toEqual([
      { type: 'ORDERS', from: '2025-03-29T23:00:00Z', to: '2025-03-30T22:00:00Z' },
    ]);
    expect(receipt.timezone).toBe('Europe/Berlin');
    expect(receipt.objects).toBe(scene.fake.objects('ORDERS', start, end).length);
  });
});

describe('the connection', () => {
  const client = (options: object): ExportClient =>
    new ExportClient({ url: 'https://a.example', merchant: 'M1', token: 'secret', ...options });

  test.each([
    [{ token: 'secret\n' }, /token must be .*"\\n"/],
    [{ token: 'two words' }, /token must be .*" "/],
    [{ token: '' }, /token must not be empty/],
    [{ url: 'https://a.example?x=1' }, /query/],
    [{ url: 'https://a.example/#x' }, /fragment/],
    [{ url: 'https://me:word@a.example' }, /user or a password/],
    [{ url: 'https://a.example/v3' }, /end before \/v3/],
    [{ url: 'https://a.example/api/v3/' }, /end before \/v3/],
    [{ url: 'a.example' }, /http or https/],
    [{ url: 'ftp://a.example' }, /http or https/],
    [{ merchant: '../M2' }, /merchant must be .*"\.\.\/M2"/],
  ])('%o is refused', async (options, message) => {
    const error = await catchFailure(
      Promise.resolve().then(() => client(options)),
      'USAGE',
    );
    expect(error.message).toMatch(message);
    expect(`${error.message} ${error.hint}`).not.toContain('secret');
    expect(`${error.message} ${error.hint}`).not.toContain('word@');
  });

  test('what to write instead of an address with /v3', async () => {
    const error = await catchFailure(
      Promise.resolve().then(() => client({ url: 'https://a.example/api/v3/merchants' })),
    );
    expect(error.hint).toBe('Use https://a.example/api');
  });

  test('an address may have a path', async () => {
    await using scene = await Scene.begin({ basePath: '/exports-api' });
    const client = scene.client({ url: `${scene.fake.url}/` });
    await expectComplete(scene, scene.pull({}, client));
    expect(scene.fake.requests.every(({ path }) => path.startsWith('/exports-api/v3/'))).toBe(true);
  });

  test('nobody listens: a few tries, then it is said', async () => {
    await using scene = await Scene.begin();
    await scene.fake.close();
    const error = await catchFailure(scene.pull(), 'NETWORK');
    expect(error.message).toContain('ECONNREFUSED');
    expect(error.hint).toContain('address');
    expect(scene.waits).toHaveLength(3);
  });
});

describe('a server that is not an export API', () => {
  /** A server of its own kind on a free port. */
  async function listening(server: Server): Promise<AsyncDisposable & { port: number }> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return {
      port,
      async [Symbol.asyncDispose]() {
        server.close();
      },
    };
  }
  const pullFrom = async (url: string): Promise<ExportError> => {
    await using scene = await Scene.begin();
    const error = await catchFailure(scene.pull({}, scene.client({ url })));
    expect(scene.waits).toEqual([]);
    return error;
  };

  test('a server of another protocol: said at once', async () => {
    await using other = await listening(
      createServer((socket) => socket.on('error', () => undefined).end('220 mail ready\r\n')),
    );
    const error = await pullFrom(`http://127.0.0.1:${other.port}`);
    expect(error.code).toBe('REFUSED');
    expect(error.message).toMatch(/does not answer with HTTP/);
  });

  test('http where https is asked for: said at once', async () => {
    await using plain = await listening(createHttpServer((_, response) => response.end('{}')));
    const error = await pullFrom(`https://127.0.0.1:${plain.port}`);
    expect(error.code).toBe('REFUSED');
    expect(error.hint).toMatch(/http:\/\//);
  });

  test('a page of HTML, and 501: said at once, with the status', async () => {
    for (const [status, code, message] of [
      [200, 'PROTOCOL', /answered 200 with text\/html instead of JSON/],
      [501, 'REFUSED', /answered 501 with text\/html: <html>Welcome<\/html>/],
      [404, 'NOT_FOUND', /answered 404 with text\/html: <html>/],
      [405, 'REFUSED', /answered 405 with text\/html: <html>/],
      [401, 'UNAUTHORIZED', /answered 401 with text\/html: <html>/],
    ] as const) {
      await using page = await listening(
        createHttpServer((_, response) => {
          response.writeHead(status, { 'content-type': 'text/html' }).end('<html>Welcome</html>');
        }),
      );
      const client = new ExportClient({
        url: `http://127.0.0.1:${page.port}`,
        merchant: 'M1',
        token: 't',
      });
      const error = await catchFailure(client.show('X'), code);
      expect(error.message).toMatch(message);
      expect(error.hint).toBe('Check that this is the address of an export API');
      const hours = await catchFailure(client.availability(), code);
      expect(hours.hint).toBe('Check that this is the address of an export API');
    }
  });

  test('a refusal without its status in words is told with it', async () => {
    await using scene = await Scene.begin();
    const error = await catchFailure(scene.client().show('UNKNOWN'), 'NOT_FOUND');
    expect(error.message).toMatch(/answered 404: Not Found: Export not found/);
    expect(error.hint).toBe('Check the id, the merchant and the address');
  });
});

describe('the directory', () => {
  test.each(['s3://bucket/sales', 'https://example.com/sales', '-', ''])(
    'is on this machine: not %j',
    async (out) => {
      await using scene = await Scene.begin();
      const error = await catchFailure(scene.pull({ out }), 'USAGE');
      expect(error.message).toBe(
        `out must be a directory of this machine; got ${JSON.stringify(out)}`,
      );
      expect(scene.fake.requests).toEqual([]);
    },
  );

  test('holds something else', async () => {
    await using scene = await Scene.begin();
    await mkdir(scene.out);
    await writeFile(join(scene.out, 'thesis.txt'), 'mine');
    const error = await catchFailure(scene.pull(), 'DIRECTORY');
    expect(error.message).toContain('thesis.txt');
    expect(error.hint).toContain('empty directory');
    expect(await readdir(scene.out)).toEqual(['thesis.txt']);
    expect(scene.fake.requests).toEqual([]);
  });

  test('is a file', async () => {
    await using scene = await Scene.begin();
    await writeFile(scene.out, 'mine');
    const error = await catchFailure(scene.pull(), 'DIRECTORY');
    expect(error.message).toContain(`${scene.out} `);
    const below = await catchFailure(scene.pull({ out: join(scene.out, 'below') }), 'DIRECTORY');
    expect(below.message).toContain(scene.out);
  });

  test.skipIf(isRoot)('is not writable (root may write anywhere)', async () => {
    await using scene = await Scene.begin();
    await mkdir(scene.out);
    await chmod(scene.out, 0o500);
    const error = await catchFailure(scene.pull(), 'DIRECTORY');
    expect(error.message).toMatch(/cannot be written \(EACCES\)/);
  });

  test('was pulled otherwise', async () => {
    await using scene = await Scene.begin();
    await scene.pull();
    const before = await contents(scene.out);
    for (const [option, options, message] of [
      ['format', { format: 'csv' }, /^format must stay jsonl, .*; got csv$/],
      ['gzip', { gzip: true }, /^gzip must stay false, .*; got true$/],
      ['timezone', { timezone: 'Asia/Tokyo' }, /^timezone must stay UTC, .*; got Asia\/Tokyo$/],
    ] as const) {
      const error = await catchFailure(scene.pull(options), 'USAGE');
      expect(error.option).toBe(option);
      expect(error.message).toMatch(message);
    }
    // Another name of the same zone is not another zone.
    await expectComplete(scene, scene.pull({ timezone: 'etc/utc' }));
    const other = scene.client({ merchant: 'M2' });
    expect((await catchFailure(scene.pull({}, other), 'USAGE')).message).toMatch(/M1.*M2/);
    expect(await contents(scene.out)).toEqual(before);
  });

  test('a disk that fills while parts are assembled: reported as such; with room, the same call continues', async ({
    skip,
  }) => {
    await using scene = await Scene.begin({ orders: 1500, perFile: 100 });
    await mkdir(scene.out);
    skip(!isRoot || !tmpfs(scene.out, '512k'), 'needs to mount a tmpfs');
    try {
      const error = await catchFailure(scene.pull(), 'DISK');
      expect(error.message).toMatch(/disk is full \(ENOSPC\)/);
      expect(error.hint).toMatch(/continue/);
      const left = Object.keys(await contents(scene.out));
      expect(left).toEqual([]);
      const fetched = scene.count('file');

      execFileSync('mount', ['-o', 'remount,size=8m', scene.out]);
      await expectComplete(scene, scene.pull());
      expect(scene.count('create')).toBe(1);
      // At most those that were under way as the disk was full come again.
      expect(scene.count('file') - fetched).toBeLessThan(15);
      expect(scene.count('file') - 15).toBeLessThanOrEqual(4);
    } finally {
      execFileSync('umount', [scene.out]);
    }
  });
});
