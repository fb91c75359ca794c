/** Attacks with answers that grow with what the caller has stored. */
import { hammer } from '../tools/flood.ts';
import { bearer, get } from '../tools/requests.ts';
import type { Attack, Scene } from '../tools/scene.ts';

function buildExportsPath({ target: { attacker } }: Scene): string {
  return `/v3/merchants/${attacker.merchant}/exports`;
}

function ask(scene: Scene, path: string, connections: number, perSecond: number): Promise<void> {
  const text = get(path, bearer(scene.target.attacker.token));
  return hammer(scene, () => text, { connections, perSecond });
}

export const lists: readonly Attack[] = [
  {
    name: 'list-1000',
    about: 'exports?limit=1000 over exports of many files, on 8 connections',
    inShort: true,
    run: (scene) => ask(scene, `${buildExportsPath(scene)}?limit=1000`, 8, 50),
  },
  {
    name: 'list-offset',
    about: 'a list with an offset of ten digits, 200 a second on 20 connections',
    inShort: false,
    run: (scene) => ask(scene, `${buildExportsPath(scene)}?limit=1000&offset=2147483647`, 20, 200),
  },
  {
    name: 'poll-many-files',
    about: 'polls of an export of many files, 500 a second on 50 connections',
    inShort: false,
    run: (scene) =>
      ask(scene, `${buildExportsPath(scene)}/${scene.target.attacker.exportId}`, 50, 500),
  },
];
