import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import type { ExportType } from '@tillroll/contract';
import { expect } from 'vitest';
import {
  ExportClient,
  ExportError,
  type ClientOptions,
  type ErrorCode,
  type PullEvent,
  type PullOptions,
  type PullResult,
  type Waiting,
} from '../src/index.ts';
import {
  mostAtOnce,
  mostPerSecond,
  startFakeServer,
  type FakeServer,
  type FakeServerOptions,
  type RequestKind,
} from './fake-server/index.ts';
import type { PullOrder, PullOutcome } from './pull-process.ts';

/** Inside one month that one export covers. */
export const FROM = Date.UTC(2026, 1, 3);
export const TO = Date.UTC(2026, 1, 23);
/** The name of that month's orders, and its file. */
export const MONTH = 'orders/2026-02';
export const MONTH_FILE = `${MONTH}.jsonl`;
/** Three months of one export each: they meet on 1 February and on 1 March. */
export const LONG_FROM = Date.UTC(2026, 0, 16);
export const LONG_TO = Date.UTC(2026, 2, 16);
export const LONG = { from: LONG_FROM, to: LONG_TO };
export const LONG_MONTHS = ['orders/2026-01', 'orders/2026-02', 'orders/2026-03'] as const;
export const LONG_EDGES = [Date.UTC(2026, 1, 1), Date.UTC(2026, 2, 1)] as const;

/** Fast enough for a test. */
export const RETRY = { baseMs: 5, capMs: 50 };

/** A fake server, clients of it and a directory to pull into. Checks what must hold whatever happens. */
export class Scene implements AsyncDisposable {
  readonly fake: FakeServer;
  /** Holds the output directories. */
  readonly directory: string;
  /** Waits that pulls reported, each with its remaining time when it was reported, in ms. */
  readonly waits: (Waiting & { ms: number })[] = [];

  private constructor(fake: FakeServer, directory: string) {
    this.fake = fake;
    this.directory = directory;
  }

  static async begin(options: FakeServerOptions = {}): Promise<Scene> {
    const small = { from: FROM, to: TO, orders: 45, perFile: 10, ready: { polls: 0 } };
    const fake = await startFakeServer({ ...small, ...options });
    return new Scene(fake, await mkdtemp(join(tmpdir(), 'tillroll-')));
  }

  get out(): string {
    return join(this.directory, 'sales');
  }

  client(options: Partial<ClientOptions> = {}): ExportClient {
    const { url, merchant, token } = this.fake;
    return new ExportClient({ url, merchant, token, retry: RETRY, ...options });
  }

  /** Pulls, by default the orders of one month, as JSON lines. */
  async pull(
    options: Partial<PullOptions> = {},
    client: ExportClient = this.client(),
  ): Promise<PullResult> {
    const { sinceLast } = options;
    const onProgress = (event: PullEvent): void => {
      if (event.event === 'waiting') this.#noteWait(event);
    };
    return client.pull({
      types: ['ORDERS'],
      ...(sinceLast ? {} : { from: FROM }),
      to: TO,
      out: this.out,
      onProgress,
      ...options,
    });
  }

  /** Pulls until the pull has to wait, and interrupts it. */
  async pullUntilWaiting(): Promise<void> {
    const stop = new AbortController();
    const onProgress = (event: PullEvent): void => {
      if (event.event !== 'waiting') return;
      this.#noteWait(event);
      stop.abort();
    };
    await catchFailure(this.pull({ signal: stop.signal, onProgress }), 'INTERRUPTED');
  }

  #noteWait(waiting: Waiting): void {
    this.waits.push({ ...waiting, ms: waiting.until - Date.now() });
  }

  count(kind: RequestKind): number {
    return this.fake.requests.filter((request) => request.kind === kind).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fake.close();
    await rm(this.directory, { recursive: true, force: true });
    expectManners(this.fake);
  }
}

/** The token goes to the API alone; the limits of the wire contract are kept. */
function expectManners({ requests }: FakeServer): void {
  const leaks = requests.filter(
    ({ tokenSeen, authorization, place, kind }) =>
      (tokenSeen || authorization) &&
      (place === 'elsewhere' || kind === 'file' || kind === 'availability'),
  );
  expect(leaks).toEqual([]);
  expect(mostPerSecond(requests.filter(({ kind }) => kind !== 'file'))).toBeLessThanOrEqual(16);
  expect(mostAtOnce(requests)).toBeLessThanOrEqual(5);
}

/** Pulls as by default, in a process of its own. */
export async function pullAsProcess(
  scene: Scene,
  how: { env?: NodeJS.ProcessEnv; client?: Partial<ClientOptions> } = {},
): Promise<PullOutcome> {
  const { url, merchant, token } = scene.fake;
  const order: PullOrder = {
    client: { url, merchant, token, retry: RETRY, ...how.client },
    pull: { types: ['ORDERS'], from: FROM, to: TO, out: scene.out },
  };
  const script = join(import.meta.dirname, 'pull-process.ts');
  const env = { ...process.env, ...how.env };
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [script, JSON.stringify(order)], { env });
  return JSON.parse(stdout) as PullOutcome;
}

/** The error that a promise ends with. */
export async function catchFailure(
  promise: Promise<unknown>,
  code?: ErrorCode,
): Promise<ExportError> {
  const error: unknown = await promise.then(
    () => expect.fail('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ExportError)) throw error;
  if (code !== undefined) expect(error.code, error.message).toBe(code);
  return error;
}

/** Length and checksum of every file of data that a user sees, by path. */
export type Contents = Record<string, string>;

function hashBytes(bytes: Uint8Array): string {
  return `${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Files that are about the others. */
const OF_DIRECTORY = ['receipt.json', 'SHA256SUMS'];

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith('.tillroll/') && !OF_DIRECTORY.includes(path));
}

export async function contents(directory: string): Promise<Contents> {
  const found: Contents = {};
  for (const path of await filesIn(directory))
    found[path] = hashBytes(await readFile(join(directory, path)));
  return found;
}

/** The same of what gzip files inflate to. */
export async function inflatedContents(directory: string): Promise<Contents> {
  const found: Contents = {};
  for (const path of await filesIn(directory)) {
    expect(path).toMatch(/\.gz$/);
    found[path.slice(0, -3)] = hashBytes(gunzipSync(await readFile(join(directory, path))));
  }
  return found;
}

/** The calendar months in UTC that a span touches, each with its part of the span. */
export function listMonths(from: number, to: number): { name: string; from: number; to: number }[] {
  const months = [];
  for (let start = from; start < to;) {
    const first = new Date(start);
    const next = Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 1);
    months.push({
      name: first.toISOString().slice(0, 7),
      from: start,
      to: Math.min(to, next),
    });
    start = next;
  }
  return months;
}

/** Computes the expected JSON lines of the fake server's objects independently. */
export function makeLines(
  fake: FakeServer,
  types: readonly ExportType[] = ['ORDERS'],
  from = FROM,
  to = TO,
  lineOf: (text: string) => string = (text) => text,
): Contents {
  const expected: Contents = {};
  for (const type of types) {
    for (const month of listMonths(from, to)) {
      const lines = fake.objects(type, month.from, month.to).map((text) => `${lineOf(text)}\n`);
      expected[`${type.toLowerCase()}/${month.name}.jsonl`] = hashBytes(
        Buffer.from(lines.join('')),
      );
    }
  }
  return expected;
}

/** The pull is complete, and the files are those of the fake server's objects to the byte. */
export async function expectComplete(
  scene: Scene,
  pulled: Promise<PullResult> | PullResult,
  expected: Contents = makeLines(scene.fake),
): Promise<PullResult> {
  const result = await pulled;
  const { failed, complete, receipt } = result;
  expect(failed).toEqual([]);
  expect(complete).toBe(true);
  expect(await contents(result.out)).toEqual(expected);
  expect(receipt.complete).toBe(true);
  expect(receipt.missing).toEqual([]);
  const listed = receipt.files.map(({ path, bytes, sha256 }) => [path, `${bytes} ${sha256}`]);
  expect(Object.fromEntries(listed)).toEqual(expected);
  expect(receipt.objects).toBe(receipt.files.reduce((sum, { objects }) => sum + objects, 0));
  return result;
}
