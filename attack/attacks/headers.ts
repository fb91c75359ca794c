/** Attacks with headers and queries as long as Node accepts them: 16 KiB in all, 2,000 of them. */
import { hammer } from '../tools/flood.ts';
import { bearer, get, request, type Headers } from '../tools/requests.ts';
import type { Attack, Scene } from '../tools/scene.ts';

const BLANKS = ' '.repeat(15_000);

function poll({ target: { attacker } }: Scene): string {
  return `/v3/merchants/${attacker.merchant}/exports/${attacker.exportId}`;
}

/** A download's headers without its bytes. */
function head(scene: Scene, headers: Headers): string {
  return request('HEAD', scene.target.attacker.files[0] ?? '', headers);
}

function repeated(length: number, item: (n: number) => string, separator = ','): string {
  let text = '';
  for (let n = 0; text.length < length; n++) text += (n > 0 ? separator : '') + item(n);
  return text;
}

/** Name, what it is, and the request. */
type Case = readonly [name: string, about: string, text: (scene: Scene) => string];

const CASES: readonly Case[] = [
  ['range', 'Range with 15 kB of blanks', (scene) => head(scene, { Range: `bytes=0${BLANKS}x` })],
  [
    'range-lead',
    'Range with 15 kB of blanks before its digits',
    (scene) => head(scene, { Range: `bytes=${BLANKS}1-${BLANKS.slice(0, 800)}x` }),
  ],
  [
    'ranges',
    'Range with thousands of ranges',
    (scene) => head(scene, { Range: `bytes=${repeated(15_000, (n) => `${n}-${n}`)}` }),
  ],
  [
    'authorization',
    'Authorization with 15 kB of blanks',
    (scene) => get(poll(scene), { Authorization: `Bearer ${BLANKS}x y` }),
  ],
  [
    'authorization-tail',
    'Authorization with 15 kB of blanks behind the token',
    (scene) => get(poll(scene), { Authorization: `Bearer x${BLANKS}y` }),
  ],
  [
    'accept-encoding',
    'Accept-Encoding with thousands of items',
    (scene) => head(scene, { 'Accept-Encoding': repeated(15_000, (n) => `a${n};q=0.1`) }),
  ],
  [
    'accept-blanks',
    'Accept-Encoding with 15 kB of blanks',
    (scene) => head(scene, { 'Accept-Encoding': `gzip${BLANKS};${BLANKS.slice(0, 800)}q` }),
  ],
  [
    'if-none-match',
    'If-None-Match with thousands of tags',
    (scene) => head(scene, { 'If-None-Match': repeated(15_000, (n) => `W/"${n}"`) }),
  ],
  [
    'if-none-match-blanks',
    'If-None-Match with 15 kB of blanks',
    (scene) => head(scene, { 'If-None-Match': `"a"${BLANKS}x` }),
  ],
  [
    'many',
    '900 headers',
    (scene) =>
      get(poll(scene), Object.fromEntries(Array.from({ length: 900 }, (_, n) => [`h${n}`, 'x']))),
  ],
  [
    'access-tokens',
    'thousands of access_token in the query',
    (scene) => get(`${poll(scene)}?${repeated(15_000, () => 'access_token=a', '&')}`),
  ],
  [
    'query',
    'thousands of members in the query of a list',
    (scene) =>
      get(
        `/v3/merchants/${scene.target.attacker.merchant}/exports?${repeated(14_000, (n) => `m${n}=%41`, '&')}`,
        bearer(scene.target.attacker.token),
      ),
  ],
  [
    'digits',
    'a limit of 14,000 digits',
    (scene) =>
      get(
        `/v3/merchants/${scene.target.attacker.merchant}/exports?limit=${'1'.repeat(14_000)}`,
        bearer(scene.target.attacker.token),
      ),
  ],
  [
    'path',
    'a path of 15 kB of slashes and escapes',
    () => get(`/v3/merchants/${'%2F/'.repeat(3_700)}`),
  ],
  [
    'signature',
    'a file with 14 kB of "&signature=" in its query',
    (scene) =>
      get(`/v3/files/${scene.target.attacker.exportId}/0.json?${'&signature='.repeat(1_300)}`),
  ],
  [
    'forwarded',
    'X-Forwarded-For with thousands of addresses',
    () =>
      get('/v3/availability', { 'X-Forwarded-For': repeated(15_000, (n) => `10.0.${n % 256}.1`) }),
  ],
];

const RATE = { connections: 8, perSecond: 200 } as const;

export const headers: readonly Attack[] = [
  ...CASES.map(([name, about, text]): Attack => ({
    name: `header-${name}`,
    about: `${about}, 200 a second`,
    inShort: false,
    run: (scene) => {
      const request = text(scene);
      return hammer(scene, () => request, RATE);
    },
  })),
  {
    name: 'header-all',
    about: 'all of these in turn, each on connections of its own, 200 a second',
    inShort: true,
    run: (scene) => {
      const texts = CASES.map(([, , text]) => text(scene));
      return hammer(scene, (n) => texts[n % texts.length] ?? '', {
        ...RATE,
        connections: 2 * texts.length,
      });
    },
  },
];
