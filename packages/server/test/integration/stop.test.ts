import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { DirectoryStorage } from '../../src/storage/directory.ts';
import { Api } from './api.ts';
import { holdHalfWay } from './held-source.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { endChildren, startChild } from './process.ts';
import { serveHere } from './service.ts';
import { until } from './until.ts';

let place: Place;
beforeEach(async () => {
  place = await makePlace();
});
afterEach(() => place.remove());
afterAll(endChildren);

/** Files that begin and never end, as over a line that broke. */
class StalledReads extends DirectoryStorage {
  override read(): Promise<Readable> {
    const stalled = new Readable({ read: () => undefined });
    stalled.push(Buffer.alloc(1000, ' '));
    return Promise.resolve(stalled);
  }
}

const GRACE_MS = 8_000;

test('a running export, a running download and an idle connection end in one grace period', async () => {
  await place.seed('M1', 12_000);
  const service = await serveHere(
    place,
    {},
    { TILLROLL_GRACE: `${GRACE_MS}ms` },
    { storage: new StalledReads(join(place.dataDir, 'files')) },
  );
  const api = new Api(service.url, 'M1', await place.install('M1'));
  const done = await api.export(FROM, TO);
  const files = (await place.files()).length;
  const source = await holdHalfWay(place);
  const agent = new http.Agent({ keepAlive: true });
  try {
    const { id } = await api.create(FROM, TO);
    await until('the second export is half-way', async () => {
      const now = await place.files();
      return now.length >= files + 3;
    });
    const download = new Promise<string>((resolve) => {
      const headers = { 'accept-encoding': 'gzip' };
      http.get(done.exportUrls?.elements[0]?.url ?? '', { headers }, (response) => {
        response.on('error', () => resolve('cut')).on('end', () => resolve('ended'));
        response.resume();
      });
    });
    const idle = await new Promise<net.Socket>((resolve, reject) => {
      http
        .get(`${service.url}/health`, { agent }, (response) => {
          const { socket } = response;
          response.resume().on('end', () => resolve(socket));
        })
        .on('error', reject);
    });
    const idleClosed = new Promise((resolve) => {
      idle.once('close', resolve);
    });

    const started = performance.now();
    await service.stop();
    const took = performance.now() - started;

    // One after the other would be twice the grace.
    expect(took).toBeGreaterThan(GRACE_MS - 100);
    expect(took).toBeLessThan(1.75 * GRACE_MS);
    expect(await download).toBe('cut');
    await idleClosed;
    expect(await place.row(id)).toMatchObject({ status: 'PENDING', errors: 0, interruptions: 1 });
  } finally {
    agent.destroy();
    await source.release();
  }
});

test('a database that does not answer any more does not keep the process', async () => {
  const socketPath = new URL(place.databaseUrl.replace('@/', '@localhost/')).searchParams;
  const target = `${socketPath.get('host')}/.s.PGSQL.${socketPath.get('port')}`;
  const sockets = new Set<net.Socket>();
  let silent = false;
  const proxy = net.createServer((near) => {
    const far = net.connect(target);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('data', (chunk) => void (silent || to.write(chunk)));
      from.on('close', () => void (silent || to.destroy()));
    }
  });
  await new Promise<void>((resolve) => {
    proxy.listen(0, '127.0.0.1', resolve);
  });
  const { port } = proxy.address() as net.AddressInfo;
  const url = new URL(place.databaseUrl.replace('@/', `@127.0.0.1:${port}/`));
  url.search = '';
  try {
    const child = await startChild('all', place.environment({ DATABASE_URL: url.href }));
    await until('the first sweep is over', async () => {
      const { rows } = await place.pool.query(
        `SELECT FROM tillroll_queue.job WHERE name = 'sweep-files' AND state = 'completed'`,
      );
      return rows.length > 0;
    });
    silent = true;
    const started = performance.now();
    child.kill('SIGTERM');
    expect(await child.exited).toBe(0);
    expect(performance.now() - started).toBeLessThan(30_000);
    expect(child.logged('closing did not end in time')).toBeGreaterThan(0);
  } finally {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  }
});
