/** Attacks on resources that merchants and apps share: exports, load connections, the database. */
import { hammer } from '../tools/flood.ts';
import { bearer, request, get, unknownToken } from '../tools/requests.ts';
import { FROM, TO } from '../target.ts';
import { attackerAddress, type Attack, type Scene } from '../tools/scene.ts';
import { pause } from '../tools/connections.ts';
import { beginUpload, chunk, LAST_CHUNK } from '../tools/upload.ts';

function createAt(merchant: string, token: string): string {
  const body = JSON.stringify({ type: 'ORDERS', startTime: FROM, endTime: TO });
  const headers = { ...bearer(token), 'Content-Length': String(body.length) };
  return request('POST', `/v3/merchants/${merchant}/exports`, headers, body);
}

/** Loads again and again, `parallel` at once. Each load alters all of its rows. */
async function loadForEver(scene: Scene, parallel: number, rows: number): Promise<void> {
  const each = async (n: number): Promise<void> => {
    for (let round = 0; !scene.signal.aborted; round++) {
      const socket = await beginUpload(scene, attackerAddress(n), scene.target.attacker);
      if (!socket) {
        await pause(50, scene.signal);
        continue;
      }
      const lines = Array.from(
        { length: rows },
        (_, row) =>
          `{"id":"LOAD${n}X${row}","createdTime":${FROM - 1},"modifiedTime":${FROM + round},"note":"${round}"}\n`,
      );
      await scene.connections.write(socket, chunk(Buffer.from(lines.join(''))));
      await scene.connections.write(socket, LAST_CHUNK);
      await scene.connections.answered(socket, 1);
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: parallel }, (_, n) => each(n)));
}

export const shares: readonly Attack[] = [
  {
    name: 'unknown-tokens',
    about: 'polls with unknown tokens, 1,000 a second on 400 connections',
    inShort: false,
    run: (scene) => {
      const { merchant, exportId } = scene.target.attacker;
      const path = `/v3/merchants/${merchant}/exports/${exportId}`;
      return hammer(scene, () => get(path, bearer(unknownToken())), {
        connections: 400,
        perSecond: 1_000,
      });
    },
  },
  {
    name: 'many-addresses',
    about:
      'unknown tokens from 600 addresses, 8 requests under way on each: the queue is always full',
    inShort: true,
    run: (scene) => {
      const { merchant, exportId } = scene.target.attacker;
      const path = `/v3/merchants/${merchant}/exports/${exportId}`;
      const text = get(path, bearer(unknownToken())).repeat(8);
      return hammer(scene, () => text, {
        connections: 600,
        perSecond: 250,
        addresses: 600,
        answers: 8,
      });
    },
  },
  {
    name: 'creates-of-one-app',
    about:
      'creates by one app at five merchants, above every limit; the normal client creates, too',
    inShort: true,
    run: (scene) => {
      const { attacker, branches } = scene.target;
      const texts = [attacker, ...branches].map(({ merchant, token }) => createAt(merchant, token));
      return hammer(scene, (n) => texts[n % texts.length] ?? '', {
        connections: 20,
        perSecond: 200,
      });
    },
  },
  {
    name: 'merges',
    about:
      '8 loads of 20,000 rows at once by one merchant, again and again; the normal client loads, too',
    inShort: true,
    run: (scene) => loadForEver(scene, 8, 20_000),
  },
];
