/** Listening applications and raw connections to them, for tests of their bounds. */

import { expect } from 'vitest';
import { FairSemaphore } from '../src/fair-semaphore.ts';
import { Turns } from '../src/http/turns.ts';
import { listenApp, type ListeningApp } from './http-app.ts';
import { Raw } from './raw.ts';

/** Turns in which known callers and strangers stand in one queue. */
export function allIn(queue: FairSemaphore): Turns {
  return Object.assign(new Turns({ known: 1, strangers: 1 }), {
    known: queue,
    polls: queue,
    strangers: queue,
  });
}

export const EXPORTS = '/v3/merchants/M1/exports';

/** Has a token's form, so that the database is asked whose it is. */
export const TOKEN = `tr_0000000000000_${'A'.repeat(43)}`;

export const ATTACKER = '127.0.0.2';

export const listening: ListeningApp[] = [];

export const connections: Raw[] = [];

export async function listen(...how: Parameters<typeof listenApp>): Promise<ListeningApp> {
  const app = await listenApp(...how);
  listening.push(app);
  return app;
}

export async function open(url: string, localAddress?: string): Promise<Raw> {
  const raw = await Raw.open(url, localAddress);
  connections.push(raw);
  return raw;
}

export function get(path: string, headers = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
}

export function expectOverloaded({
  status,
  headers,
  body,
}: Awaited<ReturnType<Raw['answer']>>): void {
  expect(status).toBe(503);
  expect(headers['retry-after']).toBe('1');
  expect(JSON.parse(body)).toEqual({
    message: '503 Service Unavailable',
    details: expect.stringMatching(/./),
  });
}
