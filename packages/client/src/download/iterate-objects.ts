/** Gives the objects of a span one by one, without a directory. */
import type { ExportObject, ExportRequest, ExportType } from '@tillroll/contract';
import type { ExportApi } from '../api/export-api.ts';
import type { CallOptions } from '../api/call-options.ts';
import { duplicateIdError, ExportError } from '../errors.ts';
import { inflate, inflateWhole } from '../json/inflate.ts';
import type { Members } from '../json/members.ts';
import { parseSpan, type SpanOptions } from '../time/span.ts';
import { exportRanges, Zone } from '../time/zone.ts';
import { BoundaryMerger, type Keyed } from './boundary-merger.ts';
import { ContentChecker, chooseContentLimit } from './check-content.ts';
import { damagedError } from './export-parts.ts';
import { fetchFile, type FetchOptions, type FileToFetch } from './fetch-file.ts';
import { filesGoneError, listFiles } from './file-list.ts';
import { FileUrls } from './file-urls.ts';
import { obtainExport } from './obtain-export.ts';
import { MemorySink } from './sink.ts';

/** Longer content is read as a stream: a few bytes of gzip may claim to be gigabytes. */
const WHOLE_BYTES = 32 * 1024 * 1024;

/** The span of an iteration, and its signal. */
export interface IterateOptions extends SpanOptions, CallOptions {}

/** Reads one object of a file. `buffer` is not written to afterwards; `members` is reused for the next object. */
export type ReadObject<T> = (buffer: Buffer, start: number, end: number, members: Members) => T;

/** Reads an object as `JSON.parse` does. */
export function parseObject<T>(buffer: Buffer, start: number, end: number): T {
  return JSON.parse(buffer.toString('utf8', start, end)) as T;
}

/**
 * Gives each object of a span once, by `createdTime` and `id` where the service orders them so. Memory
 * holds two files at most, one being read while the next one is fetched, and the ids of one export.
 */
export async function* iterateObjects<T extends Keyed>(
  api: ExportApi,
  type: ExportType,
  { signal, onWaiting, ...dates }: IterateOptions,
  read: ReadObject<T>,
): AsyncGenerator<T, void, void> {
  const span = parseSpan(dates);
  const merger = new BoundaryMerger<T>();
  for (const range of exportRanges(span, new Zone(dates.timezone ?? 'UTC'))) {
    for await (const object of iterateRange(api, { type, ...range }, { signal, onWaiting }, read))
      yield* merger.pass(object, range.startTime, range.endTime);
    yield* merger.endRange(range.endTime === span.endTime);
  }
}

/** Gives the objects of one range. When its files are gone in between, a new export continues. */
async function* iterateRange<T extends Keyed>(
  api: ExportApi,
  request: ExportRequest,
  call: CallOptions,
  read: ReadObject<T>,
): AsyncGenerator<T, void, void> {
  const given = new Set<string>();
  for (let attempt = 1; ; attempt++) {
    const exported = await obtainExport(api, request, call);
    const seen = new Set<string>();
    try {
      for await (const batch of iterateFiles(api, exported, call, read)) {
        for (const object of batch) {
          if (seen.has(object.id)) throw duplicateIdError(exported.id, object.id);
          seen.add(object.id);
          if (given.has(object.id)) continue;
          given.add(object.id);
          yield object;
        }
      }
      return;
    } catch (error) {
      const isGone = error instanceof ExportError && error.code === 'GONE';
      if (!isGone || attempt >= api.retry.exports) throw error;
    }
  }
}

/** Gives the objects of each file in turn; one file is fetched ahead. */
async function* iterateFiles<T>(
  api: ExportApi,
  exported: ExportObject,
  { signal, onWaiting }: CallOptions,
  readObject: ReadObject<T>,
): AsyncGenerator<T[], void, void> {
  const { id } = exported;
  const listed = listFiles(exported);
  if (!listed) throw filesGoneError(id);
  const stop = new AbortController();
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const options = { signal: either, onWaiting };
  const urls = new FileUrls(api, id, listed, options);
  const read = (position: number): Promise<T[]> | undefined => {
    const entry = listed[position];
    const name = `file ${position} of export ${id}`;
    const batch = entry && fetchObjects(api, { ...entry, name }, urls, options, readObject);
    // It is awaited in its turn, where a failure is reported.
    batch?.catch(() => undefined);
    return batch;
  };
  let ahead = read(0);
  try {
    for (let position = 0; ahead; position++) {
      const present: Promise<T[]> = ahead;
      ahead = read(position + 1);
      yield await present;
    }
  } finally {
    // A caller that stops early does not wait for the next file.
    stop.abort();
    await ahead?.catch(() => undefined);
  }
}

/** Fetches and checks one file: its objects are given only when all of it was checked. */
async function fetchObjects<T>(
  api: ExportApi,
  file: FileToFetch,
  urls: FileUrls,
  options: FetchOptions,
  readObject: ReadObject<T>,
): Promise<T[]> {
  for (let damaged = 1; ; damaged++) {
    try {
      const sink = new MemorySink();
      await fetchFile(api, file, urls, sink, options);
      return await readObjects(sink.take(), file, readObject);
    } catch (error) {
      if (!(error instanceof ExportError) || error.code !== 'BAD_FILE') throw error;
      if (damaged >= api.retry.badFile) throw damagedError(file.name, error);
    }
  }
}

/** Reads and checks the objects of a raw file. @throws ExportError BAD_FILE */
async function readObjects<T>(
  raw: Buffer,
  { expected }: FileToFetch,
  readObject: ReadObject<T>,
): Promise<T[]> {
  const objects: T[] = [];
  const checker = new ContentChecker(expected, (buffer, start, end, members) => {
    objects.push(readObject(buffer, start, end, members));
  });
  const limit = chooseContentLimit(expected);
  const whole = await inflateWhole(raw, Math.min(limit, WHOLE_BYTES));
  if (whole) checker.push(whole);
  else for await (const chunk of inflate([raw], limit)) checker.push(chunk);
  checker.end();
  return objects;
}
