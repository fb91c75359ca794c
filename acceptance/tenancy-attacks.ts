/** Makes random requests for what belongs to another merchant or app. */
import { line, main, other, otherApp, target } from './api.ts';
import { END, owners, sharedIds, START } from './tenancy-owners.ts';

export const REFUSALS = [400, 401, 403, 404, 405, 410];

export interface Attack {
  why: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
}

/** mulberry32: small, and the same everywhere for the same seed. */
export function seedRandom(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  const pick = <T>(values: readonly T[]): T => values[below(values.length)] as T;
  return { below, pick };
}

export type Random = ReturnType<typeof seedRandom>;

export const WORD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';

/** Another text than the one given, never empty: changed, cut, prolonged or turned in one place or more. */
export function mutated(r: Random, text: string, alphabet = WORD): string {
  for (;;) {
    let out = text;
    for (let n = 1 + r.below(3); n > 0; n--) {
      const at = r.below(out.length);
      const [before, char, after] = [out.slice(0, at), out[at] ?? '', out.slice(at + 1)];
      const turned = char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase();
      out = r.pick([
        before + r.pick(Array.from(alphabet)) + after,
        before + after,
        before + char + r.pick(Array.from(alphabet)) + after,
        before + turned + after,
        before + after.slice(0, 1) + char + after.slice(1),
        out.slice(0, 1 + r.below(out.length)),
      ]);
      if (out === '') out = text;
    }
    if (out !== text) return out;
  }
}

export function makeAttack(r: Random): Attack {
  const victim = r.pick(owners);
  const done = r.pick(victim.done);
  const { id } = done.export;
  const { client } = victim;
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const forged = (): string =>
    r.pick([
      () => mutated(r, client.token ?? ''),
      () => mutated(r, target.otherToken),
      () => target.revokedToken,
      () => client.merchant,
      () => id,
      () => 'null',
    ])();
  /** Credentials that open nothing at the victim's merchant. */
  const bad = (): Record<string, string> =>
    r.pick([
      () => ({}),
      () => bearer(forged()),
      () => bearer(client === other ? target.token : target.otherToken),
      () => ({
        authorization: `Basic ${Buffer.from(`x:${client.token ?? ''}`).toString('base64')}`,
      }),
      () => ({
        ...bearer(forged()),
        'x-forwarded-for': '127.0.0.1',
        'x-merchant-id': client.merchant,
      }),
      () => ({
        cookie: `access_token=${client.token ?? ''}`,
        'x-access-token': client.token ?? '',
      }),
    ])();
  const strangers = [main, otherApp, other].filter((one) => one !== client);
  const method = r.pick(['GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

  return r.pick<() => Attack>([
    () => ({
      why: 'read with bad credentials',
      method,
      path: `${client.path}/${id}`,
      headers: bad(),
    }),
    () => ({
      why: 'read with a bad access_token',
      method: 'GET',
      path: `${client.path}/${id}?access_token=${encodeURIComponent(forged())}`,
      headers: {},
    }),
    () => ({
      why: 'list with bad credentials',
      method: 'GET',
      path: `${client.path}?limit=1000`,
      headers: bad(),
    }),
    () => {
      const stranger = r.pick(strangers);
      return {
        why: 'read by a stranger with good credentials',
        method,
        path: `${stranger.path}/${id}`,
        headers: stranger.auth,
      };
    },
    () => {
      const stranger = r.pick(strangers);
      return {
        why: 'read of a changed id by a stranger',
        method: 'GET',
        path: `${stranger.path}/${mutated(r, id)}`,
        headers: stranger.auth,
      };
    },
    () => ({
      why: 'read of a changed id by its owner',
      method: 'GET',
      path: `${client.path}/${mutated(r, id)}`,
      headers: client.auth,
    }),
    () => {
      const merchant = r.pick([
        mutated(r, client.merchant),
        client.merchant.toLowerCase() === client.merchant
          ? `${client.merchant}_`
          : client.merchant.toLowerCase(),
        `%${(client.merchant.codePointAt(0) ?? 0).toString(16)}${client.merchant.slice(1)}`,
        `${target.otherMerchant}%2f..%2f${client.merchant}`,
        `${target.otherMerchant}/../${client.merchant}`,
        `${client.merchant}%00`,
        `${client.merchant};${target.otherMerchant}`,
        `${client.merchant},${target.otherMerchant}`,
      ]);
      const stranger = client === other ? main : other;
      const headers = r.pick([stranger.auth, {}, bearer(forged())]);
      return {
        why: 'a changed merchant',
        method: 'GET',
        path: `/v3/merchants/${merchant}/exports/${id}`,
        headers,
      };
    },
    () => {
      const stranger = client === other ? main : other;
      const query = r.pick([
        'mId',
        'merchantId',
        'merchant_id',
        'merchant',
        'appId',
        'app_id',
        'exportId',
        'id',
      ]);
      const value = r.pick([client.merchant, id, '1%20OR%201%3D1', "'%20OR%20''%3D'"]);
      const path = `${stranger.path}/${r.pick([id, mutated(r, id), `${id}'--`, `${id}%27%20OR%201=1`])}?${query}=${value}`;
      return { why: 'another id in the query', method: 'GET', path, headers: stranger.auth };
    },
    () => ({
      why: 'create with bad credentials',
      method: 'POST',
      path: client.path,
      headers: bad(),
      body: JSON.stringify({
        type: r.pick(['ORDERS', 'PAYMENTS']),
        startTime: START,
        endTime: END,
        merchantRef: { id: client.merchant },
      }),
    }),
    () => ({
      why: 'load with bad credentials',
      method: 'POST',
      path: client.bulkPath(r.pick(['ORDERS', 'PAYMENTS'])),
      headers: { ...bad(), 'content-type': 'application/x-ndjson' },
      body: line(START, {
        id: r.pick(sharedIds),
        modifiedTime: START + 100_000,
        note: 'overwritten',
      }),
    }),
    () => {
      const { pathname, search } = new URL(r.pick(done.urls));
      const signature = /[0-9a-f]{16,}$/.exec(search === '' ? pathname : search)?.[0] ?? '';
      const unsigned = (pathname + search).slice(0, -signature.length);
      const path = r.pick([
        () => unsigned + mutated(r, signature, '0123456789abcdef'),
        () => pathname.slice(0, 1) + mutated(r, (pathname + search).slice(1), `${WORD}/.&=%`),
        () => unsigned + Array.from(signature, () => r.below(16).toString(16)).join(''),
        () => unsigned,
      ])();
      return {
        why: 'a forged file URL',
        method: r.pick(['GET', 'GET', 'HEAD', 'POST']),
        path,
        headers: r.pick([{}, bearer(forged())]),
      };
    },
    () => {
      const theirs = r.pick(owners.filter((one) => one !== victim));
      const sign = /[0-9a-f]{16,}$/;
      const url = r.pick(done.urls);
      const stolen = sign.exec(r.pick(r.pick(theirs.done).urls))?.[0] ?? '';
      const path = url.slice(new URL(url).origin.length).replace(sign, stolen);
      return {
        why: "a file with another's signature",
        method: 'GET',
        path,
        headers: r.pick([{}, bearer(forged())]),
      };
    },
  ])();
}
