/** Attacks with connections that cost the attacker next to nothing. */
import { pause, untilOver } from '../tools/connections.ts';
import { hammer } from '../tools/flood.ts';
import { get } from '../tools/requests.ts';
import { attackerAddress, type Attack, type Scene } from '../tools/scene.ts';

async function hold(
  scene: Scene,
  count: number,
  from: (n: number) => string,
  head = '',
): Promise<void> {
  const sockets = await scene.connections.openMany(count, from);
  if (head !== '')
    await Promise.all(sockets.map((socket) => scene.connections.write(socket, head)));
  await untilOver(scene.signal);
}

/** One byte of a header a second, on each of many connections. */
async function drip(scene: Scene, count: number): Promise<void> {
  const sockets = await scene.connections.openMany(count, (n) => attackerAddress(n % 20));
  const text = `GET /v3/availability HTTP/1.1\r\nHost: service\r\nX-Slow: ${'x'.repeat(1000)}`;
  for (let at = 0; at < text.length && !scene.signal.aborted; at++) {
    await Promise.all(sockets.map((socket) => scene.connections.write(socket, text.charAt(at))));
    await pause(1000, scene.signal);
  }
}

/** Connects, says something, and is gone: a new connection each time. */
async function churn(scene: Scene, parallel: number, text: string): Promise<void> {
  const each = async (n: number): Promise<void> => {
    while (!scene.signal.aborted) {
      const socket = await scene.connections.open(attackerAddress(n));
      if (socket) {
        await scene.connections.write(socket, text);
        await pause(20, scene.signal);
        socket.destroy();
      } else await pause(20, scene.signal);
    }
  };
  await Promise.all(Array.from({ length: parallel }, (_, n) => each(n)));
}

export const connections: readonly Attack[] = [
  {
    name: 'idle-one-address',
    about: '5,000 connections from one address that say nothing',
    inShort: true,
    run: (scene) => hold(scene, scene.short ? 2_000 : 5_000, () => attackerAddress()),
  },
  {
    name: 'idle-many-addresses',
    about: '8,000 connections from 400 addresses that say nothing',
    inShort: false,
    run: (scene) => hold(scene, 8_000, (n) => attackerAddress(n % 400)),
  },
  {
    name: 'half-headers',
    about: '2,000 connections that stop in the middle of a header',
    inShort: true,
    run: (scene) =>
      hold(
        scene,
        scene.short ? 1_000 : 2_000,
        (n) => attackerAddress(n % 20),
        'GET /v3/availability HTTP/1.1\r\nHost: serv',
      ),
  },
  {
    name: 'byte-a-second',
    about: '1,000 connections that send one byte of a header a second',
    inShort: false,
    run: (scene) => drip(scene, 1_000),
  },
  {
    name: 'one-request-each',
    about: 'a new connection for each request, 20 at once, gone after 20 ms',
    inShort: true,
    run: (scene) => churn(scene, 20, get('/v3/availability')),
  },
  {
    name: 'garbage',
    about: 'a new connection for each TLS hello, which is not HTTP, 20 at once',
    inShort: false,
    run: (scene) => churn(scene, 20, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03garbage\r\n\r\n'),
  },
  {
    name: 'flood-availability',
    about: '1,500 GET /v3/availability a second on 200 connections',
    inShort: false,
    run: (scene) =>
      hammer(scene, () => get('/v3/availability'), { connections: 200, perSecond: 1_500 }),
  },
];
