/** The list of all attacks. */
import type { Attack } from '../tools/scene.ts';
import { bodies } from './bodies.ts';
import { connections } from './connections.ts';
import { downloads } from './downloads.ts';
import { headers } from './headers.ts';
import { lists } from './lists.ts';
import { pipelined } from './pipelined.ts';
import { shares } from './shares.ts';
import { uploads } from './uploads.ts';

/** All attacks, in the order in which they run. */
export const ATTACKS: readonly Attack[] = [
  ...pipelined,
  ...connections,
  ...downloads,
  ...bodies,
  ...headers,
  ...uploads,
  ...lists,
  ...shares,
];
