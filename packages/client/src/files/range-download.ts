import { createHash, type Hash } from 'node:crypto';
import type { ExportObject } from '@tillroll/contract';
import type { ExportClient } from '../client.ts';
import { FileDownload } from '../download.ts';
import { ExportError } from '../errors.ts';
import { filesOf, type ExportedFile } from '../file-order.ts';
import { FileTries } from '../file-tries.ts';
import { throwIfAborted } from '../http/backoff.ts';
import { checkPromise, duplicate, renewal } from '../iterate.ts';
import { ObjectReader } from '../json/object-reader.ts';
import type { Zone } from '../zone.ts';
import { IdSet } from './id-set.ts';
import type { DoneRange, Journal, Segment } from './journal.ts';
import type { DownloadProgress } from './pull-types.ts';
import { isServed, linesPath, servedFolder, type Place, type TypedRange } from './layout.ts';
import { LinesStore } from './lines-store.ts';
import type { RangeStore, SegmentWriter } from './range-store.ts';
import { ServedStore } from './served-store.ts';
import { addTally, emptyTally } from './tally.ts';
import { follows, takeFile } from './take-file.ts';

/** Where it is noted what is on disk already. */
export type SegmentLog = Pick<Journal, 'layout' | 'pending' | 'segmentDone'>;

export interface RangeDownloadOptions {
  client: ExportClient;
  journal: SegmentLog;
  range: TypedRange;
  place: Place;
  /** Where files as served go, relative to the output directory; by default where a pull has them. */
  folder?: string;
  zone: Zone;
  /** Files at once. */
  downloads: number;
  signal: AbortSignal;
  onProgress: (progress: DownloadProgress) => void;
}

/** What came of a range; it is not committed yet. */
export interface DownloadedRange {
  done: DoneRange;
  moves: [string, string][];
  /** Whether the objects came in the order of createdTime and id. */
  isAscending: boolean;
  /** In this run alone. */
  received: { objects: number; bytes: number };
}

/** Downloads the files of one export, several at once, going on where an earlier run stopped. */
export class RangeDownload {
  readonly #options: RangeDownloadOptions;
  readonly #ids = new IdSet();
  readonly #tally = emptyTally();
  #lastKey: readonly [number, string] | null = null;
  #isAscending = true;
  #files = 0;
  #bytes = 0;

  constructor(options: RangeDownloadOptions) {
    this.#options = options;
  }

  /** @throws ExportError: GONE when the files are not there any more, BAD_FILE, DUPLICATE_ID, ... */
  async run(exported: ExportObject): Promise<DownloadedRange> {
    const files = filesOf(exported);
    if (!files) throw new ExportError('GONE', `the files of export ${exported.id} are gone`);
    const { store, kept } = await this.#open(exported, files);
    try {
      for (const segment of kept) this.#count(segment);
      this.#report(files.length);
      await this.#fetchAll(
        exported.id,
        files,
        store,
        new Set(kept.map(({ position }) => position)),
      );
      const { files: stored } = await store.finish();
      const moves = stored.map(({ path }): [string, string] => [store.partOf(path), path]);
      const { range, place } = this.#options;
      const done = { ...range, place, exports: [exported.id], tally: this.#tally, files: stored };
      const before = kept.reduce((sum, { tally }) => sum + tally.objects, 0);
      const received = { objects: this.#tally.objects - before, bytes: this.#bytes };
      return { done, moves, isAscending: this.#isAscending, received };
    } finally {
      await store.close();
    }
  }

  async #open(
    exported: ExportObject,
    files: readonly ExportedFile[],
  ): Promise<{ store: RangeStore; kept: Segment[] }> {
    const { journal, range, place, folder } = this.#options;
    const { layout } = journal;
    const segments = journal
      .pending(range)
      .segments.filter(
        ({ exportId, position, key }) => exportId === exported.id && files[position]?.key === key,
      );
    const readerOf = (): ObjectReader =>
      new ObjectReader(isServed(layout) ? 'elements' : 'lines', (_buffer, _start, _end, { id }) =>
        this.#addId(id, exported.id),
      );
    return isServed(layout)
      ? ServedStore.open(layout, folder ?? servedFolder(layout, place, range), segments, readerOf)
      : LinesStore.open(layout, linesPath(layout, place, range), segments, readerOf());
  }

  async #fetchAll(
    exportId: string,
    files: readonly ExportedFile[],
    store: RangeStore,
    complete: ReadonlySet<number>,
  ): Promise<void> {
    const failed = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, failed.signal]);
    const left = files.map((_, position) => position).filter((position) => !complete.has(position));
    let failure: { error: unknown } | undefined;
    const fetchNext = async (): Promise<void> => {
      for (let position = left.shift(); position !== undefined; position = left.shift()) {
        const file = files[position];
        if (!file) continue;
        try {
          await this.#fetch(exportId, file, position, store, signal);
        } catch (error) {
          // The others stop, and what they then say is not the reason.
          failure ??= { error };
          failed.abort();
          await store.close();
          return;
        }
        this.#report(files.length);
      }
    };
    await Promise.all(Array.from({ length: this.#options.downloads }, fetchNext));
    if (failure) throw failure.error;
    throwIfAborted(this.#options.signal);
  }

  async #fetch(
    exportId: string,
    file: ExportedFile,
    position: number,
    store: RangeStore,
    signal: AbortSignal,
  ): Promise<void> {
    const { transport } = this.#options.client;
    const name = `file ${position} of export ${exportId}`;
    const tries = new FileTries(name, transport.retry);
    for (;;) {
      const writer = store.begin(position);
      try {
        await this.#fetchOnce(exportId, file, position, writer, name, signal);
        return;
      } catch (error) {
        await writer.abandon();
        tries.failed(error);
      }
    }
  }

  async #fetchOnce(
    exportId: string,
    file: ExportedFile,
    position: number,
    writer: SegmentWriter,
    name: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, journal, range, zone } = this.#options;
    const hash = file.promised && createHash('sha256');
    const source = { ...file, name, renew: renewal(client, exportId, file.key) };
    const chunks = new FileDownload(client.transport, source, signal).chunks();
    const { ids, objects, ...taken } = await takeFile(
      this.#watched(chunks, hash),
      range,
      zone,
      writer,
    );
    if (hash) checkPromise(file, objects, hash.digest('hex'));
    await writer.commit(async (written) => {
      for (const id of ids) this.#addId(id, exportId);
      const segment: Segment = {
        exportId,
        position,
        key: file.key,
        ...taken,
        ...written,
      };
      await journal.segmentDone(range, segment);
      this.#count(segment);
    }, taken.tally);
  }

  async *#watched(
    chunks: AsyncIterable<Uint8Array>,
    hash: Hash | undefined,
  ): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of chunks) {
      this.#bytes += chunk.length;
      hash?.update(chunk);
      yield chunk;
    }
  }

  #addId(id: string, exportId: string): void {
    if (!this.#ids.add(id)) throw duplicate(id, exportId);
  }

  #count({ tally, firstKey, lastKey, isAscending }: Segment): void {
    addTally(this.#tally, tally);
    this.#files++;
    if (firstKey) this.#isAscending &&= isAscending && follows(this.#lastKey, firstKey);
    this.#lastKey = lastKey ?? this.#lastKey;
  }

  #report(filesTotal: number): void {
    this.#options.onProgress({
      files: this.#files,
      filesTotal,
      objects: this.#tally.objects,
      bytes: this.#bytes,
    });
  }
}
