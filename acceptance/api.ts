/** The calls that the tests make: create, read, poll, download, load. */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { expect, inject } from 'vitest';
import { type Answer, makeAnswer, exact } from './exact-requests.ts';
import './target.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
const POLL_DEADLINE_MS = 30_000;

export type ExportType = 'ORDERS' | 'PAYMENTS';

export interface ExportObject {
  id: string;
  type: ExportType;
  status: string;
  percentComplete: number;
  availableUntil?: number;
  startTime: number;
  endTime: number;
  createdTime: number;
  modifiedTime: number;
  exportUrls?: { elements: { url: string; export: { id: string } }[] };
  merchantRef: { id: string };
  files?: { elements: { objects: number; bytes: number; sha256: string }[] };
}

export interface Counts {
  received: number;
  inserted: number;
  updated: number;
  unchanged: number;
  stale: number;
}

/** A finished export, the raw text of the answer that said so, and every state seen on the way. */
export interface Finished {
  export: ExportObject;
  text: string;
  urls: string[];
  seen: ExportObject[];
}

export interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** One merchant's app: an address, a merchant in the path and a token (or none). */
export class Client {
  readonly base: string;
  readonly merchant: string;
  readonly token: string | null;

  constructor(base: string, merchant: string, token: string | null) {
    this.base = base;
    this.merchant = merchant;
    this.token = token;
  }

  get path(): string {
    return `/v3/merchants/${this.merchant}/exports`;
  }

  get auth(): Record<string, string> {
    return this.token === null ? {} : { authorization: `Bearer ${this.token}` };
  }

  /** A plain `fetch`, as most clients would send it. */
  async ask(path: string, asked: Asked = {}): Promise<Answer> {
    const response = await fetch(this.base + path, {
      ...asked,
      headers: { ...this.auth, ...asked.headers },
      signal: AbortSignal.timeout(30_000),
    });
    return makeAnswer(response.status, response.headers, Buffer.from(await response.arrayBuffer()));
  }

  /** `POST .../exports` with a JSON value. */
  post(request: unknown): Promise<Answer> {
    return this.postText(JSON.stringify(request));
  }

  /** `POST .../exports` with this very text. */
  postText(body: string): Promise<Answer> {
    return this.ask(this.path, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
  }

  async create(type: ExportType, startTime: number, endTime: number): Promise<ExportObject> {
    const answer = await this.post({ type, startTime, endTime });
    expect(answer.status, answer.text).toBe(200);
    return json<ExportObject>(answer);
  }

  read(id: string): Promise<Answer> {
    return this.ask(`${this.path}/${id}`);
  }

  /** Reads till DONE, and holds every answer on the way against the rules for moving exports. */
  async poll(id: string): Promise<Finished> {
    const deadline = Date.now() + POLL_DEADLINE_MS;
    const seen: ExportObject[] = [];
    for (;;) {
      const answer = await this.read(id);
      expect(answer.status, answer.text).toBe(200);
      const now = json<ExportObject>(answer);
      expect(now.percentComplete, 'percentComplete is an integer 0..100').toBeOneOf(PERCENTS);
      expect(now.percentComplete, 'percentComplete never goes down').toBeGreaterThanOrEqual(
        seen.at(-1)?.percentComplete ?? 0,
      );
      expect(now.percentComplete === 100, '100 only when DONE').toBe(now.status === 'DONE');
      seen.push(now);
      if (now.status === 'DONE') {
        const urls = now.exportUrls?.elements.map((element) => element.url) ?? [];
        return { export: now, text: answer.text, urls, seen };
      }
      expect(now.status, answer.text).toBeOneOf(['PENDING', 'IN_PROGRESS']);
      if (Date.now() > deadline) {
        throw new Error(`export ${id} was not DONE after ${POLL_DEADLINE_MS} ms: ${answer.text}`);
      }
      await sleep(50);
    }
  }

  async export(type: ExportType, startTime: number, endTime: number): Promise<Finished> {
    const { id } = await this.create(type, startTime, endTime);
    return this.poll(id);
  }

  /** The raw text of every object in a range, through all files. */
  async objects(type: ExportType, startTime: number, endTime: number): Promise<string[]> {
    const done = await this.export(type, startTime, endTime);
    return (await downloadAll(done)).flatMap(parseElements);
  }

  bulkPath(type: ExportType): string {
    return `/v3/merchants/${this.merchant}/${type.toLowerCase()}/bulk`;
  }

  /** `POST .../bulk` with these very bytes. */
  bulk(
    type: ExportType,
    body: string | Uint8Array | readonly Uint8Array[],
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return exact(this.base, this.bulkPath(type), {
      method: 'POST',
      headers: { ...this.auth, 'content-type': 'application/x-ndjson', ...headers },
      body,
    });
  }

  /** Loads lines, each of which is one object. */
  async load(type: ExportType, lines: readonly string[]): Promise<Counts> {
    const answer = await this.bulk(type, lines.map((line) => `${line}\n`).join(''));
    expect(answer.status, answer.text).toBe(200);
    return json<Counts>(answer);
  }
}

const PERCENTS = Array.from({ length: 101 }, (_, percent) => percent);

export const target = inject('target');
export const main = new Client(target.url, target.merchant, target.token);
export const otherApp = new Client(target.url, target.merchant, target.otherAppToken);
export const other = new Client(target.url, target.otherMerchant, target.otherToken);
export const readOrders = new Client(target.url, target.merchant, target.readOrdersToken);
export const revoked = new Client(target.url, target.merchant, target.revokedToken);
export const nobody = new Client(target.url, target.merchant, null);

export function json<T>(answer: Answer): T {
  return JSON.parse(answer.text) as T;
}

/** One file, without any header but the encoding asked for. */
export function download(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  const { origin } = new URL(url);
  return exact(origin, url.slice(origin.length), { headers });
}

/** Identity bytes of all files, each held against `files` and against its gzip form. */
export async function downloadAll(done: Finished): Promise<Buffer[]> {
  const files = done.export.files?.elements ?? [];
  expect(files.length, 'files has one element for each URL').toBe(done.urls.length);
  const contents: Buffer[] = [];
  for (const [i, url] of done.urls.entries()) {
    const plain = await download(url);
    expect(plain.status, plain.text.slice(0, 500)).toBe(200);
    const packed = await download(url, { 'accept-encoding': 'gzip' });
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    expect(gunzipSync(packed.bytes).equals(plain.bytes), 'gzip and identity hold the same').toBe(
      true,
    );
    const sha256 = createHash('sha256').update(plain.bytes).digest('hex');
    expect(files[i]).toEqual({
      objects: parseElements(plain.bytes).length,
      bytes: plain.bytes.length,
      sha256,
    });
    contents.push(plain.bytes);
  }
  return contents;
}

/** The raw text of each object in a file `{"elements":[...]}`: cut, never parsed and written again. */
export function parseElements(file: Buffer): string[] {
  const [open, close] = ['{"elements":[', ']}'];
  expect(file.toString('utf8', 0, open.length)).toBe(open);
  expect(file.toString('utf8', file.length - close.length)).toBe(close);
  const elements: string[] = [];
  let depth = 0;
  let inString = false;
  let start = -1;
  for (let i = open.length; i < file.length - close.length; i++) {
    const byte = file[i];
    if (inString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inString = false;
      continue;
    }
    if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      if (depth++ === 0) start = i;
    } else if ((byte === 0x7d || byte === 0x5d) && --depth === 0) {
      elements.push(file.toString('utf8', start, i + 1));
    }
  }
  expect(depth, 'every bracket is closed').toBe(0);
  return elements;
}

/**
 * A stretch of time for one test file alone. Its place in the year is drawn anew in each run, so that
 * a second run against the same service does not meet the objects of the first.
 */
export function choosePeriod(year: number): number {
  return Date.UTC(year, 0, 1) + randomInt(180 * DAY);
}

/** An object id that nobody has used before. */
export function freshId(prefix = 'A'): string {
  return prefix + randomBytes(8).toString('hex').toUpperCase();
}

/** One NDJSON line; `modifiedTime` is `createdTime` unless given. */
export function line(createdTime: number, members: Record<string, unknown> = {}): string {
  return JSON.stringify({ id: freshId(), createdTime, modifiedTime: createdTime, ...members });
}
