import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Api, download } from './api.ts';
import { FROM, makePlace, type Place, TO } from './place.ts';
import { endChildren } from './process.ts';
import { serveHere } from './service.ts';
import {} from './until.ts';

let place: Place;

beforeEach(async () => {
  place = await makePlace();
});

afterEach(async () => {
  await endChildren();
  await place.remove();
});

async function openExports(): Promise<{ merchant: string; open: number }[]> {
  const { rows } = await place.pool.query<{ merchant: string; open: number }>(
    `SELECT merchant_id AS merchant, count(*)::int AS open FROM tillroll.exports
     WHERE status = 'PENDING' GROUP BY 1 ORDER BY 1`,
  );
  return rows;
}

const DAY_MS = 86_400_000;

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

/** Hours that open at `opens`, a whole minute, for half an hour once a week. */
function hoursOpeningAt(opens: number): string {
  const date = new Date(opens);
  const time = (at: number): string => new Date(at).toISOString().slice(11, 16);
  return `${DAYS[date.getUTCDay()]} ${time(opens)}-${time(opens + 30 * 60_000)}`;
}

describe('outside the hours', () => {
  test('503 with the seconds until the next opening and the hours in words', async () => {
    // A day and some from now, and never close to midnight by more than the span crossing it.
    const opens = Math.floor((Date.now() + DAY_MS + 3_600_000) / 60_000) * 60_000;
    const hours = hoursOpeningAt(opens);
    const service = await serveHere(
      place,
      { work: false },
      { TILLROLL_HOURS: hours, TILLROLL_REGION: 'eu' },
    );
    try {
      const api = new Api(service.url, 'M1', await place.install('M1'));
      const before = Date.now();
      const response = await api.post(FROM, TO);
      const after = Date.now();
      const { message, details } = (await response.json()) as { message: string; details: string };

      expect(response.status).toBe(503);
      expect(message).toBe('503 Service Unavailable');
      const retryAfter = Number(response.headers.get('retry-after'));
      expect(retryAfter).toBeGreaterThanOrEqual(Math.ceil((opens - after) / 1000));
      expect(retryAfter).toBeLessThanOrEqual(Math.ceil((opens - before) / 1000));
      const words = hours.charAt(0).toUpperCase() + hours.slice(1);
      expect(details).toContain('region eu');
      expect(details).toContain(`open ${words} UTC`);
      expect(details).toContain(new Date(opens).toISOString());
      expect(await openExports()).toEqual([]);
    } finally {
      await service.stop();
    }
  });

  test('hours that never come: 503 without Retry-After', async () => {
    const service = await serveHere(place, { work: false }, { TILLROLL_HOURS: 'never' });
    try {
      const api = new Api(service.url, 'M1', await place.install('M1'));
      const response = await api.post(FROM, TO);
      expect(response.status).toBe(503);
      expect(response.headers.has('retry-after')).toBe(false);
      expect(await response.json()).toMatchObject({
        details: expect.stringContaining('never open'),
      });
    } finally {
      await service.stop();
    }
  });

  test('the hours are judged before the limit; reading, downloading and accepted work go on', async () => {
    await place.seed('M1', 10);
    const token = await place.install('M1');
    const open = await serveHere(place, { work: false }, { TILLROLL_MAX_OPEN_EXPORTS: '1' });
    const { id } = await new Api(open.url, 'M1', token).create(FROM, TO);
    await open.stop();

    const closed = { TILLROLL_MAX_OPEN_EXPORTS: '1', TILLROLL_HOURS: 'never' };
    const service = await serveHere(place, { work: false }, closed);
    try {
      const api = new Api(service.url, 'M1', token);
      const refused = await api.post(FROM, TO);
      expect(refused.status).toBe(503);
      expect(await refused.json()).toMatchObject({ details: expect.stringContaining('hours') });

      expect((await api.read(id)).status).toBe('PENDING');
      const worker = await serveHere(place, { serve: false }, closed);
      const done = await api.ended(id);
      await worker.stop();
      expect(done.status).toBe('DONE');
      expect(await download(done)).toHaveLength(1);
    } finally {
      await service.stop();
    }
  });
});
