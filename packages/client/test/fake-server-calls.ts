/** A small fake server for its own tests, and the calls that they make to it. */

import { DAY_MS, type ExportObject, type ExportType, type Order } from '@tillroll/contract';
import { expect, onTestFinished } from 'vitest';
import { type FakeServer, type FakeServerOptions, startFakeServer } from './fake-server/index.ts';

export const FROM = Date.UTC(2026, 0, 1);

export const TO = FROM + 10 * DAY_MS;

export async function fakeServer(options: FakeServerOptions = {}): Promise<FakeServer> {
  const counts = { orders: 25, payments: 12, perFile: 10, ready: { polls: 0 } };
  const fake = await startFakeServer({ from: FROM, to: TO, ...counts, ...options });
  onTestFinished(() => fake.close());
  return fake;
}

export const path = (fake: FakeServer): string => `/v3/merchants/${fake.merchant}/exports`;

export async function post(
  fake: FakeServer,
  body: unknown,
  init: RequestInit = {},
): Promise<Response> {
  return fetch(fake.url + path(fake), {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${fake.token}` },
    ...init,
  });
}

export async function create(
  fake: FakeServer,
  type: ExportType = 'ORDERS',
  startTime = FROM,
  endTime = TO,
) {
  const response = await post(fake, { type, startTime, endTime });
  expect(response.status).toBe(200);
  return (await response.json()) as ExportObject;
}

export async function ask(fake: FakeServer, id: string): Promise<Response> {
  const headers = { authorization: `Bearer ${fake.token}` };
  return fetch(`${fake.url}${path(fake)}/${id}`, { headers });
}

export async function read(fake: FakeServer, id: string): Promise<ExportObject> {
  const response = await ask(fake, id);
  expect(response.status).toBe(200);
  return (await response.json()) as ExportObject;
}

/** Only identity: fetch asks for gzip by itself. */
export const plain = (url: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, { headers: { 'accept-encoding': 'identity', ...headers } });

export const listUrls = (one: ExportObject): string[] =>
  one.exportUrls?.elements.map(({ url }) => url) ?? [];

export async function exported(fake: FakeServer, type?: ExportType, start?: number, end?: number) {
  const done = await read(fake, (await create(fake, type, start, end)).id);
  expect(done.status).toBe('DONE');
  return done;
}

export async function firstUrl(fake: FakeServer): Promise<string> {
  return listUrls(await exported(fake))[0] as string;
}

export async function texts(one: ExportObject): Promise<string[]> {
  return Promise.all(listUrls(one).map(async (url) => (await plain(url)).text()));
}

export async function fetchOrders(one: ExportObject): Promise<Order[]> {
  return (await texts(one)).flatMap((text) => (JSON.parse(text) as { elements: Order[] }).elements);
}
