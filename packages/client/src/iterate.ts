import { createHash } from 'node:crypto';
import { cells, type ExportObject, type ExportRequest, type ExportType } from '@tillroll/contract';
import type { ExportClient } from './client.ts';
import { FileDownload } from './download.ts';
import { ExportError } from './errors.ts';
import { exportRange } from './export-range.ts';
import { filesOf, type ExportedFile } from './file-order.ts';
import { FileTries } from './file-tries.ts';
import { ObjectReader } from './json/object-reader.ts';
import { parseSpan, type When } from './span.ts';

export interface IterateOptions {
  /** First instant, inclusive. */
  from: When;
  /** End, exclusive. */
  to: When;
  /** IANA name: whose days bare dates mean. Default UTC. */
  timezone?: string | undefined;
  signal?: AbortSignal | undefined;
}

interface Keyed {
  id: string;
  createdTime: number;
  modifiedTime?: number;
}

/** Objects of one file that are handed on together. */
type Batch<T> = T[];

/** Each object of a span once; memory holds two files at most. */
export async function* iterateObjects<T extends Keyed>(
  client: ExportClient,
  type: ExportType,
  { from, to, timezone, signal }: IterateOptions,
): AsyncGenerator<T, void, void> {
  const span = parseSpan({ from, to, timezone });
  const edge = new Edge<T>();
  for (const range of cells(span)) {
    for await (const object of objectsOnce<T>(client, { type, ...range }, signal))
      yield* edge.pass(object, range.startTime, range.endTime);
    yield* edge.turn(range.endTime === span.endTime);
  }
}

/** The objects of one range; where the files go away meanwhile, those of another export go on. */
async function* objectsOnce<T extends Keyed>(
  client: ExportClient,
  request: ExportRequest,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, void> {
  const given = new Set<string>();
  for (let attempt = 1; ; attempt++) {
    const exported = await exportRange(client, request, { signal });
    const seen = new Set<string>();
    try {
      for await (const batch of batchesOf<T>(client, exported, signal)) {
        for (const object of batch) {
          if (seen.has(object.id)) throw duplicate(object.id, exported.id);
          seen.add(object.id);
          if (given.has(object.id)) continue;
          given.add(object.id);
          yield object;
        }
      }
      return;
    } catch (error) {
      const isGone = error instanceof ExportError && error.code === 'GONE';
      if (!isGone || attempt >= client.transport.retry.exports) throw error;
    }
  }
}

/** One export that holds an id twice cannot be trusted in anything. */
export function duplicate(id: string, exportId: string): ExportError {
  return new ExportError(
    'DUPLICATE_ID',
    `export ${exportId} holds the id ${JSON.stringify(id)} twice`,
    {
      hint: 'The service is at fault; report it there',
    },
  );
}

/**
 * The objects at the edge of two ranges. A far side whose bounds are inclusive gives them twice: they are
 * held back until the next range has had its say, and the newest wins.
 */
class Edge<T extends Keyed> {
  /** Of the range before: at its end. */
  #held = new Map<string, T>();
  #next = new Map<string, T>();
  #given = new Set<string>();

  *pass(object: T, startTime: number, endTime: number): Generator<T, void, void> {
    if (object.createdTime === endTime) {
      this.#next.set(object.id, object);
      return;
    }
    if (object.createdTime === startTime) {
      const before = this.#held.get(object.id);
      this.#held.delete(object.id);
      if (this.#given.has(object.id)) return;
      this.#given.add(object.id);
      yield before && modified(before) > modified(object) ? before : object;
      return;
    }
    if (object.createdTime > startTime) yield* this.#release();
    yield object;
  }

  /** A range is over. @param isLast what is at the end of the span lies outside of it. */
  *turn(isLast: boolean): Generator<T, void, void> {
    yield* this.#release();
    this.#held = isLast ? new Map() : this.#next;
    this.#next = new Map();
    this.#given = new Set();
  }

  *#release(): Generator<T, void, void> {
    for (const [id, object] of this.#held) {
      this.#given.add(id);
      yield object;
    }
    this.#held.clear();
  }
}

function modified({ modifiedTime, createdTime }: Keyed): number {
  return modifiedTime ?? createdTime;
}

async function* batchesOf<T>(
  client: ExportClient,
  exported: ExportObject,
  signal: AbortSignal | undefined,
): AsyncGenerator<Batch<T>, void, void> {
  const files = filesOf(exported);
  if (!files) throw new ExportError('GONE', `the files of export ${exported.id} are gone`);
  const left = new AbortController();
  const either = signal ? AbortSignal.any([signal, left.signal]) : left.signal;
  let ahead: Promise<Batch<T>> | undefined;
  try {
    for (const [position, file] of files.entries()) {
      const present = ahead ?? read<T>(client, exported.id, file, position, either);
      const following = files[position + 1];
      ahead = following && read<T>(client, exported.id, following, position + 1, either);
      // It is awaited in its turn; until then its failure is nobody's.
      ahead?.catch(() => undefined);
      yield await present;
    }
  } finally {
    // A caller that has seen enough does not wait for what comes next.
    left.abort();
    await ahead?.catch(() => undefined);
  }
}

/** One file, whole: only what has been checked to its end is handed on. */
async function read<T>(
  client: ExportClient,
  exportId: string,
  file: ExportedFile,
  position: number,
  signal: AbortSignal | undefined,
): Promise<Batch<T>> {
  const { transport } = client;
  const name = `file ${position} of export ${exportId}`;
  const tries = new FileTries(name, transport.retry);
  for (;;) {
    try {
      const batch: Batch<T> = [];
      const hash = createHash('sha256');
      const reader = new ObjectReader('elements', (buffer, start, end) => {
        batch.push(JSON.parse(buffer.toString('utf8', start, end)) as T);
      });
      const source = { ...file, name, renew: renewal(client, exportId, file.key) };
      for await (const chunk of new FileDownload(transport, source, signal).chunks()) {
        hash.update(chunk);
        reader.push(chunk);
      }
      reader.end();
      checkPromise(file, reader.objects, hash.digest('hex'));
      return batch;
    } catch (error) {
      tries.failed(error);
    }
  }
}

/** @throws ExportError BAD_FILE when a file is not what Tillroll promised. */
export function checkPromise({ promised }: ExportedFile, objects: number, sha256: string): void {
  if (!promised) return;
  if (promised.objects !== objects)
    throw new ExportError(
      'BAD_FILE',
      `it holds ${objects} objects, and ${promised.objects} were promised`,
    );
  if (promised.sha256 !== sha256)
    throw new ExportError(
      'BAD_FILE',
      `its SHA-256 is ${sha256}, and ${promised.sha256} was promised`,
    );
}

/** Reads an export again for a new URL of one of its files. */
export function renewal(
  client: ExportClient,
  exportId: string,
  key: string,
): (signal: AbortSignal | undefined) => Promise<string> {
  return async (signal) => {
    const again = await client.show(exportId, { signal }).catch((error: unknown) => {
      // A far side may forget an export altogether.
      if (error instanceof ExportError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    });
    const file = again && filesOf(again)?.find((other) => other.key === key);
    if (!file)
      throw new ExportError('GONE', `the files of export ${exportId} are gone`, {
        hint: 'They live for a day; the range has to be exported again',
      });
    return file.url;
  };
}
