import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { EXPORT_TYPES, type ExportType } from '@tillroll/contract';
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
  startFarSide,
  type FarSide,
  type FarSideOptions,
  type RequestKind,
} from './far-side/index.ts';
import type { PullOrder, PullOutcome } from './pull-process.ts';

/** Inside one cell of 30 days: one range. */
export const FROM = Date.UTC(2026, 0, 8);
export const TO = Date.UTC(2026, 0, 28);
/** Three ranges: they meet on 7 January and 6 February. */
export const LONG_FROM = Date.UTC(2026, 0, 1);
export const LONG_TO = Date.UTC(2026, 2, 2);
const CELL_MS = 30 * 86_400_000;

/** Fast enough for a test. */
export const RETRY = { baseMs: 5, capMs: 50 };

/** A far side, clients of it, a directory to pull into; and what must hold of them whatever happens. */
export class Scene implements AsyncDisposable {
  readonly far: FarSide;
  /** For output directories. */
  readonly directory: string;
  /** What was told of waits, and how long each was to be, in ms, as it was told. */
  readonly waits: (Waiting & { ms: number })[] = [];

  private constructor(far: FarSide, directory: string) {
    this.far = far;
    this.directory = directory;
  }

  static async begin(options: FarSideOptions = {}): Promise<Scene> {
    const small = { from: FROM, to: TO, orders: 45, perFile: 10, ready: { polls: 0 } };
    const far = await startFarSide({ ...small, ...options });
    return new Scene(far, await mkdtemp(join(tmpdir(), 'tillroll-')));
  }

  get out(): string {
    return join(this.directory, 'sales');
  }

  client(options: Partial<ClientOptions> = {}): ExportClient {
    const { url, merchant, token } = this.far;
    const onWaiting = (waiting: Waiting): void => this.#noteWait(waiting);
    return new ExportClient({ url, merchant, token, onWaiting, retry: RETRY, ...options });
  }

  /** By default the orders of one range, as JSON lines. */
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

  /** A pull that is broken off as soon as it has to wait. */
  async pullUntilWaiting(): Promise<void> {
    const stop = new AbortController();
    const onProgress = (event: PullEvent): void => {
      if (event.event !== 'waiting') return;
      this.#noteWait(event);
      stop.abort();
    };
    await failureOf(this.pull({ signal: stop.signal, onProgress }), 'INTERRUPTED');
  }

  #noteWait(waiting: Waiting): void {
    this.waits.push({ ...waiting, ms: waiting.until - Date.now() });
  }

  count(kind: RequestKind): number {
    return this.far.requests.filter((request) => request.kind === kind).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.far.close();
    await rm(this.directory, { recursive: true, force: true });
    expectManners(this.far);
  }
}

/** The token goes to the API alone; the limits of the wire contract are kept. */
function expectManners({ requests }: FarSide): void {
  const leaks = requests.filter(
    ({ tokenSeen, authorization, place, kind }) =>
      (tokenSeen || authorization) &&
      (place === 'elsewhere' || kind === 'file' || kind === 'availability'),
  );
  expect(leaks).toEqual([]);
  expect(mostPerSecond(requests.filter(({ kind }) => kind !== 'file'))).toBeLessThanOrEqual(16);
  expect(mostAtOnce(requests)).toBeLessThanOrEqual(5);
}

/** The same pull as by default, in a process of its own. */
export async function pullAsProcess(
  scene: Scene,
  how: { env?: NodeJS.ProcessEnv; client?: Partial<ClientOptions> } = {},
): Promise<PullOutcome> {
  const { url, merchant, token } = scene.far;
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
export async function failureOf(promise: Promise<unknown>, code?: ErrorCode): Promise<ExportError> {
  const error: unknown = await promise.then(
    () => expect.fail('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ExportError)) throw error;
  if (code !== undefined) expect(error.code, error.message).toBe(code);
  return error;
}

/** Name and checksum of every file that a user sees, the receipt aside. */
export type Contents = Record<string, string>;

function sumOf(bytes: Uint8Array): string {
  return `${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`;
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith('.tillroll/') && path !== 'receipt.json');
}

export async function contents(directory: string): Promise<Contents> {
  const found: Contents = {};
  for (const path of await filesIn(directory))
    found[path] = sumOf(await readFile(join(directory, path)));
  return found;
}

/** The same of what gzip files inflate to. */
export async function inflatedContents(directory: string): Promise<Contents> {
  const found: Contents = {};
  for (const path of await filesIn(directory)) {
    expect(path).toMatch(/\.gz$/);
    found[path.slice(0, -3)] = sumOf(gunzipSync(await readFile(join(directory, path))));
  }
  return found;
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** The ranges of whole days from `from` to `to`, as they must be asked for and named. */
export function rangesOf(from: number, to: number): { name: string; from: number; to: number }[] {
  const ranges = [];
  for (let start = from; start < to;) {
    const end = Math.min(to, (Math.floor(start / CELL_MS) + 1) * CELL_MS);
    ranges.push({ name: `${day(start)}_${day(end)}`, from: start, to: end });
    start = end;
  }
  return ranges;
}

/** What JSON lines of the far side's objects must be, by a computation of its own. */
export function linesOf(
  far: FarSide,
  types: readonly ExportType[] = ['ORDERS'],
  from = FROM,
  to = TO,
  lineOf: (text: string) => string = (text) => text,
): Contents {
  const expected: Contents = {};
  for (const type of types) {
    for (const range of rangesOf(from, to)) {
      const lines = far.objects(type, range.from, range.to).map((text) => `${lineOf(text)}\n`);
      expected[`${type.toLowerCase()}/${range.name}.jsonl`] = sumOf(Buffer.from(lines.join('')));
    }
  }
  return expected;
}

/** The same of files as served. */
export function servedOf(
  far: FarSide,
  types: readonly ExportType[],
  from: number,
  to: number,
  perFile: number,
): Contents {
  const expected: Contents = {};
  for (const type of types) {
    for (const range of rangesOf(from, to)) {
      const texts = far.objects(type, range.from, range.to);
      for (let i = 0; i * perFile < texts.length; i++) {
        const elements = texts.slice(i * perFile, (i + 1) * perFile).join(',');
        const path = `${type.toLowerCase()}/${range.name}/${String(i).padStart(4, '0')}.json`;
        expected[path] = sumOf(Buffer.from(`{"elements":[${elements}]}`));
      }
    }
  }
  return expected;
}

/** The pull is complete, and the files are those of the far side's objects to the byte. */
export async function expectComplete(
  scene: Scene,
  pulled: Promise<PullResult> | PullResult,
  expected: Contents = linesOf(scene.far),
): Promise<PullResult> {
  const result = await pulled;
  expect(result.failed).toEqual([]);
  expect(result.complete).toBe(true);
  expect(await contents(result.out)).toEqual(expected);
  const counted = EXPORT_TYPES.flatMap((type) =>
    result.receipt.ranges.filter((range) => range.type === type),
  ).reduce((sum, { objects }) => sum + objects, 0);
  expect(result.receipt.objects).toBe(counted);
  return result;
}
