/** The rows of the contract that need a service of other settings: hours, limits, expiry, restarts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  Client,
  DAY,
  type ExportObject,
  type Finished,
  HOUR,
  download,
  downloadAll,
  parseElements,
  json,
  line,
  target,
} from './api.ts';
import { exact } from './exact-requests.ts';
import {
  ALL_PERMISSIONS,
  type Place,
  type Running,
  command,
  install,
  makePlace,
  startServer,
} from './server.ts';
import { expectError } from './error-shapes.ts';

const START = Date.UTC(2020, 0, 1);
const END = START + HOUR;
const LINES = Array.from({ length: 1001 }, (_, i) => line(START + i));
const MERCHANT = 'Rules-1';

/** `HH:MM` in UTC. */
const formatClock = (time: number): string => new Date(time).toISOString().slice(11, 16);

/** One opening a week, as `TILLROLL_HOURS` has it: `sat 22:00-02:00`. */
function formatHours(opens: number, closes: number): string {
  const day = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][new Date(opens).getUTCDay()] ?? '';
  return `${day} ${formatClock(opens)}-${formatClock(closes)}`;
}

describe.skipIf(target.external)(
  'one service, started again and again on its data directory',
  () => {
    let place: Place;
    let running: Running | undefined;
    let token: string;
    let otherToken: string;

    const start = async (
      extra: Record<string, string> = {},
      role: 'all' | 'serve' = 'all',
    ): Promise<Client> => {
      running = await startServer(place, { TILLROLL_REGION: 'sandbox', ...extra }, role);
      return new Client(running.url, MERCHANT, token);
    };
    const post = (client: Client) =>
      client.post({ type: 'ORDERS', startTime: START, endTime: END });

    /** Waits until no export is open. @returns all that are done. */
    const waitForOpenExports = async (client: Client): Promise<Finished[]> => {
      const { elements } = json<{ elements: ExportObject[] }>(await client.ask(client.path));
      return Promise.all(elements.map(({ id }) => client.poll(id)));
    };

    /** The URL as it was minted, at the address that the service has now. */
    const moved = (client: Client, url: string): string =>
      client.base + url.slice(new URL(url).origin.length);

    let first: Finished;

    beforeAll(async () => {
      place = await makePlace();
      // Before any server has run: the commands work while it does not.
      token = await install(place, MERCHANT, 'app', ALL_PERMISSIONS);
      otherToken = await install(place, 'Rules-2', 'app', ALL_PERMISSIONS);
      const client = await start();
      await client.load('ORDERS', LINES);
      first = await client.export('ORDERS', START, END);
      expect((await downloadAll(first)).flatMap(parseElements)).toEqual(LINES);
      await running?.stop();
    });
    afterEach(async () => {
      const stopping = running;
      running = undefined;
      if (stopping !== undefined) expect(await stopping.stop(), 'SIGTERM: exit 0').toBe(0);
    });
    afterAll(async () => {
      await place.remove();
    });

    test('outside the hours creating is 503 without Retry-After where it never opens; reading, downloading and loading go on', async () => {
      const client = await start({ TILLROLL_HOURS: 'never' });
      const refused = await post(client);
      expectError(refused, 503);
      expect(refused.headers.get('retry-after')).toBeNull();

      const again = json<ExportObject>(await client.read(first.export.id));
      expect(again.status).toBe('DONE');
      for (const { url } of again.exportUrls?.elements ?? [])
        expect((await download(url)).status).toBe(200);
      const reload = await client.load('ORDERS', LINES);
      expect(reload).toMatchObject({ received: 1001, unchanged: 1001 });

      const availability = json<Record<string, unknown>>(await client.ask('/v3/availability'));
      expect(availability).toMatchObject({ open: false, nextOpen: null, nextClose: null });
    });

    test('outside the hours: 503 with the hours in UTC in words, and Retry-After seconds until it opens', async () => {
      // The first full hour that is more than an hour away.
      const opens = Math.ceil(Date.now() / HOUR) * HOUR + HOUR;
      const client = await start({ TILLROLL_HOURS: formatHours(opens, opens + HOUR) });

      const refused = await post(client);
      const details = expectError(refused, 503);
      expect(details).toContain('UTC');
      expect(details).toContain(formatClock(opens));
      expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(
        Math.abs(Number(refused.headers.get('retry-after')) - (opens - Date.now()) / 1000),
      ).toBeLessThan(5);

      const availability = json<Record<string, unknown>>(await client.ask('/v3/availability'));
      expect(availability).toMatchObject({ open: false, nextOpen: opens });
      expect(availability['hours']).toContain(formatClock(opens));

      // 401 and 400 come before 503.
      expect((await new Client(client.base, MERCHANT, 'nope').post({})).status).toBe(401);
      expectError(await client.post({ type: 'ORDERS' }), 400);
    });

    test('inside its hours it is open, also over midnight, and availability tells when it closes', async () => {
      const hour = Math.floor(Date.now() / HOUR) * HOUR;
      const [opened, closes] = [hour - HOUR, hour + 2 * HOUR];
      const client = await start({ TILLROLL_HOURS: formatHours(opened, closes) });
      expect((await post(client)).status).toBe(200);
      await waitForOpenExports(client);
      const availability = json<Record<string, unknown>>(await client.ask('/v3/availability'));
      expect(availability).toMatchObject({ open: true, nextClose: closes });
      expect(availability['nextOpen']).toBeGreaterThan(closes);
    });

    test('too many open exports: 503 naming the limit, Retry-After 1 to 60; exactly as many as the limit under a race', async () => {
      // `serve` alone: no worker runs, so that what is open stays open.
      const client = await start(
        { TILLROLL_MAX_OPEN_EXPORTS: '5', TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: '100' },
        'serve',
      );
      const answers = await Promise.all(Array.from({ length: 200 }, () => post(client)));
      const accepted = answers.filter((answer) => answer.status === 200);
      expect(accepted).toHaveLength(5);
      for (const answer of answers) {
        if (answer.status === 200) continue;
        expect(expectError(answer, 503)).toMatch(/\b5\b/);
        const retryAfter = answer.headers.get('retry-after') ?? '';
        expect(retryAfter).toMatch(/^\d+$/);
        expect(Number(retryAfter)).toBeGreaterThanOrEqual(1);
        expect(Number(retryAfter)).toBeLessThanOrEqual(60);
      }
      for (const answer of accepted) {
        const { id } = json<ExportObject>(answer);
        expect(json<ExportObject>(await client.read(id))).toMatchObject({
          status: 'PENDING',
          percentComplete: expect.any(Number),
        });
      }
      // The limit in total counts every merchant.
      expectError(await post(new Client(client.base, 'Rules-2', otherToken)), 503);
      // A bad request is 400 even then.
      expectError(await client.post({ type: 'ORDERS' }), 400);
    });

    test('work that was accepted goes on after a restart, also outside the hours', async () => {
      const client = await start({ TILLROLL_HOURS: 'never' });
      const all = await waitForOpenExports(client);
      expect(all.length).toBeGreaterThanOrEqual(6);
      for (const done of all) {
        expect((await downloadAll(done)).flatMap(parseElements)).toEqual(LINES);
      }
    });

    test('the limit of one merchant leaves the others their room', async () => {
      const client = await start(
        { TILLROLL_MAX_OPEN_EXPORTS: '100', TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: '2' },
        'serve',
      );
      const answers = await Promise.all(Array.from({ length: 20 }, () => post(client)));
      expect(answers.filter((answer) => answer.status === 200)).toHaveLength(2);
      for (const answer of answers) {
        if (answer.status !== 200) expect(expectError(answer, 503)).toMatch(/\b2\b/);
      }
      expect((await post(new Client(client.base, 'Rules-2', otherToken))).status).toBe(200);
    });

    test('a URL holds until availableUntil whatever credentials or keys rotate meanwhile', async () => {
      const early = await start();
      await waitForOpenExports(early);
      const [url = ''] = first.urls;
      expect((await download(moved(early, url))).status, 'minted by another process').toBe(200);
      await running?.stop();

      const before = await start({ TILLROLL_SIGNING_KEY: 'old-key-old-key-old-key-old-key-1' });
      const [old = ''] = (await before.poll(first.export.id)).urls;
      expect((await download(moved(before, old))).status).toBe(200);
      await running?.stop();

      const after = await start({
        TILLROLL_SIGNING_KEY: 'new-key-new-key-new-key-new-key-2,old-key-old-key-old-key-old-key-1',
      });
      expect((await download(moved(after, old))).status, 'signed with the old key').toBe(200);
      const [fresh = ''] = (await after.poll(first.export.id)).urls;
      expect((await download(moved(after, fresh))).status, 'signed with the new key').toBe(200);
      expect(
        (await download(moved(after, `${old.slice(0, -1)}${old.endsWith('0') ? '1' : '0'}`)))
          .status,
      ).toBe(403);

      // The install that made the export goes away; the URL stays, the token does not.
      const leaving = await install(place, MERCHANT, 'leaving', ALL_PERMISSIONS);
      const guest = new Client(after.base, MERCHANT, leaving);
      const done = await guest.export('ORDERS', START, END);
      await command(place, ['uninstall', '--merchant', MERCHANT, '--app', 'leaving']);
      expect((await guest.read(done.export.id)).status).toBe(401);
      for (const one of done.urls) expect((await download(one)).status).toBe(200);
    });

    test('after availableUntil: DONE with its availableUntil, without exportUrls; the URL is 410, an altered one 403', async () => {
      const retention = 4000;
      const client = await start({ TILLROLL_RETENTION: '4s' });
      const done = await client.export('ORDERS', START, END);
      const until = done.export.availableUntil ?? 0;
      expect(until - retention).toBeGreaterThanOrEqual(done.export.createdTime);
      expect(until - done.export.createdTime).toBeLessThan(DAY);
      const [url = ''] = done.urls;
      expect((await download(url)).status).toBe(200);

      await sleep(Math.max(0, until - Date.now()) + 250);
      const gone = await client.read(done.export.id);
      expect(gone.status).toBe(200);
      const now = json<ExportObject>(gone);
      expect(now).toMatchObject({ status: 'DONE', percentComplete: 100, availableUntil: until });
      expect(Object.keys(now)).not.toContain('exportUrls');
      for (const one of done.urls) {
        expectError(await download(one), 410);
        expectError(await download(one, { 'accept-encoding': 'gzip', range: 'bytes=0-9' }), 410);
      }
      expectError(await download(`${url.slice(0, -1)}${url.endsWith('0') ? '1' : '0'}`), 403);
      expectError(await download(`${url}0`), 403);
      const { origin } = new URL(url);
      expect((await exact(origin, url.slice(origin.length), { method: 'HEAD' })).status).toBe(410);

      // The first export was made under 24 h and keeps them.
      const [kept = ''] = (await client.poll(first.export.id)).urls;
      expect((await download(kept)).status).toBe(200);
    });
  },
);
