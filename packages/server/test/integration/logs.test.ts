import http from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Api } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { endChildren, startChild, type Child } from './process.ts';
import { until } from './until.ts';

interface Sent {
  id: string;
  method: string;
  /** The path as it was sent. */
  path: string;
  status: number;
}

let place: Place;
let child: Child;
let token: string;
let otherToken: string;
let exportId: string;
let fileUrl: URL;
const sent: Sent[] = [];

/** One request whose path goes over the wire as it stands. */
function request(
  path: string,
  {
    method = 'GET',
    headers = {},
    body = '',
  }: {
    method?: string;
    headers?: Record<string, string>;
    body?: string;
  } = {},
): Promise<number> {
  const { hostname, port } = new URL(child.url);
  return new Promise((resolve, reject) => {
    const outgoing = http.request({ hostname, port, path, method, headers }, (response) => {
      response.resume().once('end', () => {
        const status = response.statusCode ?? 0;
        sent.push({ id: String(response.headers['x-request-id']), method, path, status });
        resolve(status);
      });
    });
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

function findSecret(whole: string): string {
  return whole.split('_').slice(2).join('_');
}

interface Line extends Record<string, unknown> {
  requestId?: string;
  msg?: string;
}

function lines(): Line[] {
  return child
    .log()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

function findLine(id: string): Line {
  const found = lines().filter((line) => line.msg === 'request' && line.requestId === id);
  expect(found, `lines of ${id}`).toHaveLength(1);
  return found[0] ?? {};
}

beforeAll(async () => {
  place = await makePlace();
  await place.seed('M1', 5);
  token = await place.install('M1', 'app-1');
  otherToken = await place.install('M2', 'app-2');
  child = await startChild('all', place.environment({ TILLROLL_LOG_LEVEL: 'trace' }));
  const done = await new Api(child.url, 'M1', token).export(FROM, TO);
  exportId = done.id;
  fileUrl = new URL(done.exportUrls?.elements[0]?.url ?? '');
});

afterAll(async () => {
  await endChildren();
  await place.remove();
});

describe('what is secret', () => {
  test('no token, no part of one and no signature is ever logged', async () => {
    const bearer = { authorization: `Bearer ${token}` };
    const exports = '/v3/merchants/M1/exports';
    const signed = fileUrl.pathname + fileUrl.search;
    const signature = fileUrl.searchParams.get('signature') ?? '';
    expect(signature).toMatch(/^[0-9a-f]{64}$/);
    const wrongSecret = `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`;

    const answers = [
      // The header, good and bad.
      await request(exports, { headers: bearer }),
      await request(exports, { headers: { authorization: `Bearer ${wrongSecret}` } }),
      await request(exports, { headers: { authorization: `Bearer ${token} ${token}` } }),
      await request(exports, { headers: { authorization: token } }),
      await request(exports, { headers: { authorization: `Bearer ${otherToken}` } }),
      // The query, good, bad, twice, and where nothing reads it.
      await request(`${exports}?access_token=${token}`),
      await request(`${exports}/${exportId}/?access_token=${token}`),
      await request(`${exports}?access_token=${wrongSecret}`),
      await request(`${exports}?access_token=${token}&access_token=${token}`),
      await request(`${exports}?access_token=${token}&limit=${token}`),
      await request(`${exports}?access_token=${token}`, {
        method: 'POST',
        body: `{"type":"${token}"}`,
      }),
      await request(`${exports}?access_token=${token}`, {
        method: 'POST',
        body: `access_token=${token}`,
      }),
      await request(`/v3/merchants/M1/orders/bulk?access_token=${token}`, {
        method: 'POST',
        body: `{"id":"x","createdTime":"${token}"}`,
      }),
      await request(`/nowhere?access_token=${token}`),
      await request(`${exports}?access_token=${token}`, { method: 'DELETE' }),
      await request(`/v3/merchants/%E0%A4%A/exports?access_token=${token}`),
      await request(`/v3/merchants/${'m'.repeat(1100)}/exports?access_token=${token}`),
      // In the path, by mistake.
      await request(`${exports}%3Faccess_token=${token}`),
      await request(`${exports};access_token=${token}`),
      await request(`/v3/merchants/${token}/exports`, { headers: bearer }),
      await request(`/v3/merchants/%ZZ${token}/exports`),
      // Signed URLs, good and bad.
      await request(signed),
      await request(signed, { method: 'HEAD' }),
      await request(signed, { method: 'POST' }),
      await request(signed.slice(0, -1)),
      await request(`${signed}&more=1`),
      await request(signed.replace('?', '%3F')),
      await request(signed.replace('?', ';')),
      await request(`/elsewhere${signed}`),
      await request(`${signed.replace('/v3/files/', '/v3/files/%')}`),
      await request('/v3/availability', { headers: { 'x-request-id': token } }),
    ];
    expect(new Set(answers)).toEqual(new Set([200, 400, 401, 403, 404, 405]));
    await until('every request is logged', () => child.logged('request') >= answers.length);

    const log = child.log();
    for (const secret of [findSecret(token), findSecret(otherToken), signature]) {
      expect(secret.length).toBeGreaterThanOrEqual(43);
      // Neither the whole of it nor a longer part.
      for (let at = 0; at + 16 <= secret.length; at++) {
        const part = secret.slice(at, at + 16);
        expect(
          log.includes(part),
          log.split('\n').find((line) => line.includes(part)),
        ).toBe(false);
      }
    }
  });
});

describe('what is told', () => {
  test('every request has one line: id, method, path, status, duration', async () => {
    const bearer = { authorization: `Bearer ${token}` };
    await request('/health');
    await request('/nowhere/at/all?x=1');
    await request('/v3/merchants/M1/exports', { method: 'PUT', headers: bearer });
    await request('/v3/merchants/%E0%A4%A/exports');
    await request('/v3/merchants/M1/exports', { method: 'OPTIONS' });
    await request('/v3/merchants/M1/exports', { headers: { 'x-request-id': 'my-own_ID-7' } });
    expect(sent.at(-1)?.id).toBe('my-own_ID-7');
    await until('the last is logged', () =>
      lines().some((line) => line.requestId === 'my-own_ID-7' && line.msg === 'request'),
    );
    for (const { id, method, path, status } of sent) {
      // A token as its own id is hidden in the line too.
      if (id === token) continue;
      const line = findLine(id);
      expect(line).toMatchObject({ level: 'info', method, status });
      expect(line['time']).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      expect(line['durationMs']).toBeGreaterThanOrEqual(0);
      expect(line['path']).not.toContain('?');
      // A path without anything to remove is logged as it was sent.
      const plain = path.split('?')[0] ?? '';
      if (!/tr_|signature=/.test(plain)) expect(line['path']).toBe(plain.slice(0, 200));
    }
    expect(new Set(sent.map(({ id }) => id)).size).toBe(sent.length);
  });

  test('merchant, app and export are told where they are known, and why a request was refused', async () => {
    const about = async (path: string, more: Parameters<typeof request>[1] = {}): Promise<Line> => {
      await request(path, more);
      const { id = '' } = sent.at(-1) ?? {};
      await until('it is logged', () =>
        lines().some((line) => line.requestId === id && line.msg === 'request'),
      );
      return findLine(id);
    };
    const headers = { authorization: `Bearer ${token}` };
    const known = { merchant: 'M1', app: 'app-1' };
    const exports = '/v3/merchants/M1/exports';

    expect(await about(`${exports}/${exportId}`, { headers })).toMatchObject({
      ...known,
      export: exportId,
      status: 200,
    });
    const body = JSON.stringify({ type: 'ORDERS', startTime: FROM, endTime: TO });
    const created = await about(exports, { method: 'POST', headers, body });
    expect(created).toMatchObject({ ...known, export: expect.stringMatching(/^\w{13}$/) });
    expect(await about(fileUrl.pathname + fileUrl.search)).toMatchObject({ export: exportId });
    expect(await about(exports, { method: 'POST', headers, body: '{}' })).toMatchObject({
      ...known,
      status: 400,
      refusal: expect.stringContaining('type'),
    });
    const refused = await about('/v3/merchants/M2/exports', { headers });
    expect(refused).toMatchObject({ status: 401, refusal: 'token of another merchant' });
    expect(refused).not.toHaveProperty('merchant');
    expect(await about(exports)).toMatchObject({ status: 401, refusal: 'token missing' });

    // The steps of the export itself.
    for (const msg of ['export started', 'export done']) {
      const step = lines().find((line) => line.msg === msg && line['export'] === exportId);
      expect(step).toMatchObject({ ...known, attempt: 1 });
    }
    const end = lines().find((line) => line.msg === 'export done' && line['export'] === exportId);
    expect(end).toMatchObject({ objects: 5, files: 1, durationMs: expect.any(Number) });
  });
});
