/** Attacks with downloads: a signed URL is all that one needs, and one export gives many. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { pause } from '../tools/connections.ts';
import { hammer, pipeline } from '../tools/flood.ts';
import { get, type Headers } from '../tools/requests.ts';
import { attackerAddress, type Attack, type Scene } from '../tools/scene.ts';

/** More than the kernel's buffers hold, so that it is the service that waits for the reader. */
const DOWNLOADS_EACH = 16;
const GZIP: Headers = { 'Accept-Encoding': 'gzip' };

function buildFilePath({ target: { attacker } }: Scene, n = 0): string {
  return attacker.files[n % attacker.files.length] ?? '';
}

/** Reads a little, slowly. */
async function sip(scene: Scene, socket: Socket, bytesPerSecond: number): Promise<void> {
  while (!scene.signal.aborted && !socket.destroyed) {
    socket.read(Math.ceil(bytesPerSecond / 4));
    await pause(250, scene.signal);
  }
}

/** @param file the URL of the n-th connection. */
async function slowReaders(
  scene: Scene,
  count: number,
  bytesPerSecond: number,
  file: (n: number) => string,
): Promise<void> {
  const sockets = await scene.connections.openMany(count, (n) => attackerAddress(n % 8), false);
  await Promise.all(
    sockets.map(async (socket, n) => {
      // Without a listener for data, bytes are read only when asked for.
      socket.on('readable', () => undefined);
      await scene.connections.write(socket, get(file(n)).repeat(DOWNLOADS_EACH));
      await sip(scene, socket, bytesPerSecond);
    }),
  );
}

/** Each begins a download and leaves when its first bytes are there. */
async function quitters(scene: Scene, parallel: number): Promise<void> {
  const each = async (n: number): Promise<void> => {
    while (!scene.signal.aborted) {
      const socket = await scene.connections.open(attackerAddress(n));
      if (!socket) {
        await pause(50, scene.signal);
        continue;
      }
      await scene.connections.write(socket, get(buildFilePath(scene, n)));
      await Promise.race([
        once(socket, 'answer', { signal: scene.signal }).catch(() => undefined),
        scene.connections.closed(socket),
      ]);
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: parallel }, (_, n) => each(n)));
}

export const downloads: readonly Attack[] = [
  {
    name: 'unread-identity',
    about: 'one signed URL, 300 times on each of 16 connections that do not read',
    inShort: true,
    run: (scene) =>
      pipeline(scene, get(buildFilePath(scene)), { times: 300, connections: 16, reads: false }),
  },
  {
    name: 'unread-gzip',
    about: 'the same, compressed',
    inShort: false,
    run: (scene) =>
      pipeline(scene, get(buildFilePath(scene), GZIP), {
        times: 300,
        connections: 16,
        reads: false,
      }),
  },
  {
    name: 'unread-many',
    about: 'one download on each of 600 connections that do not read',
    inShort: false,
    run: (scene) =>
      pipeline(scene, get(buildFilePath(scene)), { times: 1, connections: 600, reads: false }),
  },
  {
    name: 'unread-docs',
    about:
      'the largest script of /docs, which needs no token, 16 times on each of 300 connections that do not read',
    inShort: true,
    run: (scene) =>
      pipeline(scene, get('/docs/static/swagger-ui-bundle.js'), {
        times: 16,
        connections: 300,
        reads: false,
      }),
  },
  {
    name: 'slow-readers',
    about: '16 downloads on each of 300 connections, read at 1 kB/s',
    inShort: false,
    run: (scene) => slowReaders(scene, 300, 1_000, (n) => buildFilePath(scene, n)),
  },
  {
    name: 'least-rate-downloads',
    about: '16 downloads on each of 400 connections of one app at five merchants, read at 24 kB/s',
    inShort: true,
    run: (scene) => {
      const callers = [scene.target.attacker, ...scene.target.branches];
      const files = callers.map((caller) => caller.files[0] ?? '');
      return slowReaders(scene, 400, 24_000, (n) => files[n % files.length] ?? '');
    },
  },
  {
    name: 'parallel-downloads',
    about: '500 downloads at once by one app, again and again',
    inShort: true,
    run: (scene) =>
      hammer(scene, (n) => get(buildFilePath(scene, n)), { connections: 500, perSecond: 250 }),
  },
  {
    name: 'tail-ranges',
    about:
      'the last byte of an uncompressed file, for which all of it is inflated, on 40 connections',
    inShort: true,
    run: (scene) =>
      hammer(scene, (n) => get(buildFilePath(scene, n), { Range: 'bytes=-1' }), {
        connections: 40,
        perSecond: 1_000,
      }),
  },
  {
    name: 'abandoned-downloads',
    about: '40 downloads at once, each left after its first bytes',
    inShort: false,
    run: (scene) => quitters(scene, 40),
  },
];
