/** Attacks with pipelined requests on one connection, none waiting for the answer before. */
import { pipeline } from '../tools/flood.ts';
import { bearer, get, unknownToken } from '../tools/requests.ts';
import type { Attack, Scene } from '../tools/scene.ts';

const AVAILABILITY = get('/v3/availability');
/** 840 kB, as it was found. */
const AVAILABILITIES = Math.floor(840_000 / AVAILABILITY.length);

function attack(
  name: string,
  about: string,
  inShort: boolean,
  run: (scene: Scene) => Promise<void>,
): Attack {
  return { name: `pipelined-${name}`, about, inShort, run };
}

function exportPath({ target: { attacker } }: Scene): string {
  return `/v3/merchants/${attacker.merchant}/exports/${attacker.exportId}`;
}

export const pipelined: readonly Attack[] = [
  attack('availability', '840 kB of GET /v3/availability on one connection', false, (scene) =>
    pipeline(scene, AVAILABILITY, { times: AVAILABILITIES }),
  ),
  attack('availability-3', 'the same on three connections at once', true, (scene) =>
    pipeline(scene, AVAILABILITY, { times: AVAILABILITIES, connections: 3 }),
  ),
  attack('polls', '31,000 polls of an export on one connection', true, (scene) =>
    pipeline(scene, get(exportPath(scene), bearer(scene.target.attacker.token)), { times: 31_000 }),
  ),
  attack('404', '30,000 requests of a path that does not exist', false, (scene) =>
    pipeline(scene, get('/nothing/here'), { times: 30_000 }),
  ),
  attack('bad-tokens', '30,000 polls with garbage as the token', false, (scene) =>
    pipeline(scene, get(exportPath(scene), bearer('garbage')), { times: 30_000 }),
  ),
  attack(
    'unknown-tokens',
    '10,000 polls with tokens that look right, on 3 connections',
    true,
    (scene) =>
      pipeline(scene, get(exportPath(scene), bearer(unknownToken())), {
        times: 10_000,
        connections: 3,
      }),
  ),
  attack('bad-signatures', '30,000 downloads with a wrong signature', false, (scene) =>
    pipeline(
      scene,
      get(
        `/v3/files/${scene.target.attacker.exportId}/0.json?expires=1&signature=${'0'.repeat(64)}`,
      ),
      {
        times: 30_000,
      },
    ),
  ),
  attack(
    'docs',
    '5,000 requests of /docs/ and its largest script, on 2 connections',
    true,
    (scene) =>
      pipeline(scene, get('/docs/') + get('/docs/static/swagger-ui-bundle.js'), {
        times: 2_500,
        connections: 2,
      }),
  ),
  attack('openapi', '5,000 requests of /openapi.json', false, (scene) =>
    pipeline(scene, get('/openapi.json'), { times: 5_000 }),
  ),
  attack(
    'ready',
    '10,000 requests of /ready, which asks the database and writes to the disk',
    true,
    (scene) => pipeline(scene, get('/ready'), { times: 10_000 }),
  ),
  attack(
    'unread',
    '20,000 requests of /openapi.json on 8 connections that do not read',
    true,
    (scene) =>
      pipeline(scene, get('/openapi.json'), { times: 2_500, connections: 8, reads: false }),
  ),
];
