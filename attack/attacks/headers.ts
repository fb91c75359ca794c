import { hammer } from '../tools/flood.ts';
import { bearer, get } from '../tools/requests.ts';
import type { Attack, Scene } from '../tools/scene.ts';

/** Headers and queries as long as Node takes them: 16 KiB in all, 2,000 of them. */

const BLANKS = ' '.repeat(15_000);

function attack(
  name: string,
  about: string,
  inShort: boolean,
  text: (scene: Scene) => string,
): Attack {
  const run = (scene: Scene): Promise<void> => {
    const once = text(scene);
    return hammer(scene, () => once, { connections: 8, perSecond: 200 });
  };
  return { name: `header-${name}`, about: `${about}, 200 a second`, inShort, run };
}

function poll({ target: { attacker } }: Scene): string {
  return `/v3/merchants/${attacker.merchant}/exports/${attacker.exportId}`;
}

function file({ target: { attacker } }: Scene): string {
  return attacker.files[0] ?? '';
}

function repeated(length: number, item: (n: number) => string, separator = ','): string {
  let text = '';
  for (let n = 0; text.length < length; n++) text += (n > 0 ? separator : '') + item(n);
  return text;
}

export const headers: readonly Attack[] = [
  attack('range', 'Range with 15 kB of blanks', true, (scene) =>
    get(file(scene), { Range: `bytes=0${BLANKS}x` }),
  ),
  attack('range-lead', 'Range with 15 kB of blanks before its digits', false, (scene) =>
    get(file(scene), { Range: `bytes=${BLANKS}1-${BLANKS.slice(0, 800)}x` }),
  ),
  attack('ranges', 'Range with thousands of ranges', false, (scene) =>
    get(file(scene), { Range: `bytes=${repeated(15_000, (n) => `${n}-${n}`)}` }),
  ),
  attack('authorization', 'Authorization with 15 kB of blanks', true, (scene) =>
    get(poll(scene), { Authorization: `Bearer ${BLANKS}x y` }),
  ),
  attack(
    'authorization-tail',
    'Authorization with 15 kB of blanks behind the token',
    false,
    (scene) => get(poll(scene), { Authorization: `Bearer x${BLANKS}y` }),
  ),
  attack('accept-encoding', 'Accept-Encoding with thousands of items', true, (scene) =>
    get(file(scene), { 'Accept-Encoding': repeated(15_000, (n) => `a${n};q=0.1`) }),
  ),
  attack('accept-blanks', 'Accept-Encoding with 15 kB of blanks', false, (scene) =>
    get(file(scene), { 'Accept-Encoding': `gzip${BLANKS};${BLANKS.slice(0, 800)}q` }),
  ),
  attack('if-none-match', 'If-None-Match with thousands of tags', true, (scene) =>
    get(file(scene), { 'If-None-Match': repeated(15_000, (n) => `W/"${n}"`) }),
  ),
  attack('if-none-match-blanks', 'If-None-Match with 15 kB of blanks', false, (scene) =>
    get(file(scene), { 'If-None-Match': `"a"${BLANKS}x` }),
  ),
  attack('many', '900 headers', false, (scene) =>
    get(poll(scene), Object.fromEntries(Array.from({ length: 900 }, (_, n) => [`h${n}`, 'x']))),
  ),
  attack('access-tokens', 'thousands of access_token in the query', true, (scene) =>
    get(`${poll(scene)}?${repeated(15_000, () => 'access_token=a', '&')}`),
  ),
  attack('query', 'thousands of members in the query of a list', false, (scene) =>
    get(
      `/v3/merchants/${scene.target.attacker.merchant}/exports?${repeated(14_000, (n) => `m${n}=%41`, '&')}`,
      bearer(scene.target.attacker.token),
    ),
  ),
  attack('digits', 'a limit of 14,000 digits', false, (scene) =>
    get(
      `/v3/merchants/${scene.target.attacker.merchant}/exports?limit=${'1'.repeat(14_000)}`,
      bearer(scene.target.attacker.token),
    ),
  ),
  attack('path', 'a path of 15 kB of slashes and escapes', true, () =>
    get(`/v3/merchants/${'%2F/'.repeat(3_700)}`),
  ),
  attack('signature', 'a file with 14 kB of "&signature=" in its query', false, (scene) =>
    get(`/v3/files/${scene.target.attacker.exportId}/0.json?${'&signature='.repeat(1_300)}`),
  ),
  attack('forwarded', 'X-Forwarded-For with thousands of addresses', false, () =>
    get('/v3/availability', { 'X-Forwarded-For': repeated(15_000, (n) => `10.0.${n % 256}.1`) }),
  ),
];
