import { readdir, readlink } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DirectoryStorage } from '../../src/storage/directory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { Api, download, type Exported } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { command, endChildren, startChild, type Child } from './process.ts';
import { serveHere } from './service.ts';
import { until } from './until.ts';

let place: Place;
const sockets: Socket[] = [];

beforeEach(async () => {
  place = await makePlace();
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await endChildren();
  await place.remove();
});

/** One file of 24 MB that hardly compresses: far more than the system's buffers take of it. */
async function seedLargeFile(merchant: string): Promise<void> {
  const lines = Array.from({ length: 1000 }, (_, i) =>
    JSON.stringify({
      id: `O${i}`,
      createdTime: FROM + i,
      note: randomBytes(18_000).toString('base64'),
    }),
  );
  await place.load(merchant, lines.join('\n'));
}

async function createExport(url: string, merchant: string, app = 'app'): Promise<Exported> {
  const api = new Api(url, merchant, await place.install(merchant, app));
  const worker = await serveHere(place, { serve: false });
  try {
    return await api.export(FROM, TO);
  } finally {
    await worker.stop();
  }
}

function pickUrl(exported: Exported, position = 0): string {
  const url = exported.exportUrls?.elements[position]?.url;
  if (url === undefined) throw new Error(`no file ${position}`);
  return url;
}

/** A connection that asks for one file `count` times. Paused: it reads nothing. */
async function ask(url: string, count: number, headers = ''): Promise<Socket> {
  const { hostname, port, pathname, search } = new URL(url);
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.pause();
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\nhost: x\r\n${headers}\r\n`.repeat(count));
  return socket;
}

/** The stored files that a process holds open. */
async function openFiles({ pid }: Child): Promise<number> {
  const below = join(place.dataDir, 'files');
  const descriptors = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(
    descriptors.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')),
  );
  return targets.filter((target) => target.startsWith(below)).length;
}

describe.runIf(process.platform === 'linux')('connections that do not read', () => {
  test('hold at most their share of open files; other apps download; all comes back', async () => {
    await seedLargeFile('M1');
    await place.seed('M2', 10);
    const service = await startChild('serve', place.environment());
    const hostile = pickUrl(await createExport(service.url, 'M1'));
    const honest = await createExport(service.url, 'M2');

    const connections: Socket[] = [];
    for (let i = 0; i < 30; i++) connections.push(await ask(hostile, 12));
    await until('the share is taken', async () => (await openFiles(service)) === 16);
    for (let i = 0; i < 20; i++) {
      expect(await download(honest)).toHaveLength(1);
      expect(await openFiles(service)).toBeLessThanOrEqual(17);
    }

    for (const socket of connections) socket.destroy();
    await until('no file is open', async () => (await openFiles(service)) === 0);
    const response = await fetch(hostile, { headers: { 'accept-encoding': 'identity' } });
    expect((await response.arrayBuffer()).byteLength).toBe(
      Number(response.headers.get('content-length')),
    );
  });

  test('a download that finds no place is 503 with Retry-After; what needs no file is answered', async () => {
    await seedLargeFile('M1');
    const service = await startChild('serve', place.environment());
    const url = pickUrl(await createExport(service.url, 'M1'));
    for (let i = 0; i < 16; i++) await ask(url, 12);
    await until('the share is taken', async () => (await openFiles(service)) === 16);

    const head = await fetch(url, { method: 'HEAD' });
    expect(head.status).toBe(200);
    const etag = head.headers.get('etag') ?? '';
    expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await fetch(url, { headers: { range: 'bytes=99999999-' } })).status).toBe(416);

    const refused = await fetch(url);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('etag')).toBeNull();
    expect(await refused.json()).toMatchObject({ message: '503 Service Unavailable' });
    expect(await openFiles(service)).toBe(16);
  });
});

describe('a file that cannot be read to its end', () => {
  /** The place's storage, whose files break off after so many of their bytes. */
  function breakingAfter(bytes: number): Storage {
    const inner = new DirectoryStorage(join(place.dataDir, 'files'));
    const read = async (key: string): Promise<Readable> => {
      const whole = (await (await inner.read(key)).toArray()) as Buffer[];
      return Readable.from(
        (async function* () {
          if (bytes > 0) yield Buffer.concat(whole).subarray(0, bytes);
          throw await Promise.resolve(new Error('the disk is broken'));
        })(),
      );
    };
    return new Proxy(inner, {
      get: (target, name) => {
        if (name === 'read') return read;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  test.for([
    ['gzip', 0],
    ['gzip', 5000],
    ['identity', 0],
    ['identity', 5000],
  ] as const)(
    '%s, after %i bytes: the connection ends, no JSON follows',
    async ([encoding, bytes]) => {
      await place.seed('M1', 100);
      const storage = breakingAfter(bytes);
      const service = await serveHere(place, { work: false }, {}, { storage });
      try {
        const done = await createExport(service.url, 'M1');
        const socket = await ask(pickUrl(done), 1, `accept-encoding: ${encoding}\r\n`);
        let received = '';
        socket.setEncoding('latin1').on('data', (text: string) => (received += text));
        socket.resume();
        await once(socket, 'close');
        expect(received).not.toContain('"message"');
        // The service still answers.
        expect((await fetch(`${service.url}/health`)).status).toBe(200);
      } finally {
        await service.stop();
      }
    },
  );
});

describe('file URLs and the install', () => {
  test('they outlive uninstall until availableUntil, and the command says until when', async () => {
    await place.seed('M1', 10);
    const service = await serveHere(place, { work: false });
    try {
      const done = await createExport(service.url, 'M1', 'app-a');
      const uninstall = ['uninstall', '--merchant', 'M1', '--app'];
      const said = await command([...uninstall, 'app-a'], place.environment());
      expect(said).toContain('1 install revoked; the tokens stop working now.');
      expect(said).toContain(`until ${new Date(done.availableUntil ?? 0).toISOString()}`);
      expect((await fetch(pickUrl(done))).status).toBe(200);

      await place.install('M1', 'app-b');
      expect(await command([...uninstall, 'app-b'], place.environment())).toBe(
        '1 install revoked; the tokens stop working now. No files can be downloaded.',
      );
      await command(['purge', '--merchant', 'M1'], place.environment());
      expect((await fetch(pickUrl(done))).status).toBe(410);
    } finally {
      await service.stop();
    }
  });
});
