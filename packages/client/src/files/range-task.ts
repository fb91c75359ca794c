import type { ExportObject } from '@tillroll/contract';
import type { ExportClient } from '../client.ts';
import { ExportError } from '../errors.ts';
import { exportRange } from '../export-range.ts';
import type { Zone } from '../zone.ts';
import type { DoneRange, Journal } from './journal.ts';
import { isServed, shownRange, type Place, type TypedRange } from './layout.ts';
import { merge } from './merge.ts';
import type { Task } from './plan.ts';
import type { RangeProgress } from './pull-types.ts';
import { RangeDownload, type DownloadedRange } from './range-download.ts';

/** What stands in the state of an export that cannot be gone on with. */
const USELESS = new Set(['GONE', 'NOT_FOUND', 'EXPORT_FAILED', 'DUPLICATE_ID', 'BAD_FILE']);

export interface RangeTaskContext {
  client: ExportClient;
  journal: Journal;
  zone: Zone;
  downloads: number;
  signal: AbortSignal;
  /** Lets one more export be open at a time only. */
  openExport: <T>(work: () => Promise<T>) => Promise<T>;
  onProgress: (progress: RangeProgress) => void;
  warn: (message: string) => void;
}

/** One range of the directory, from nothing, or from what is there, to done. */
export class RangeTask {
  readonly task: Task;
  /** What this run fetched. */
  readonly received = { objects: 0, bytes: 0 };
  readonly #context: RangeTaskContext;
  readonly #progress: RangeProgress;
  /** The exports that are being made, by the order of `task.fetch`. */
  #exports: Promise<ExportObject>[] = [];

  constructor(task: Task, context: RangeTaskContext) {
    this.task = task;
    this.#context = context;
    const { range, have, fetch } = task;
    const objects = have.reduce((sum, { tally }) => sum + tally.objects, 0);
    const isKept = fetch.length === 0 && have.length === 1;
    this.#progress = {
      name: shownRange(range),
      ...range,
      stage: isKept ? 'kept' : 'planned',
      percent: isKept ? 100 : 0,
      objects,
      bytes: 0,
      files: have.reduce((sum, { files }) => sum + files.length, 0),
      filesTotal: isKept ? have.reduce((sum, { files }) => sum + files.length, 0) : null,
    };
  }

  get progress(): RangeProgress {
    return { ...this.#progress };
  }

  get isKept(): boolean {
    return this.#progress.stage === 'kept';
  }

  /** Has the exports made, so that they are ready when it is this range's turn. */
  begin(): void {
    if (this.#exports.length > 0 || this.isKept) return;
    const { journal } = this.#context;
    const place = this.#place();
    this.#exports = this.task.fetch
      .filter((range) => !journal.get(place, range))
      .map((range) => {
        const exported = this.#exported(range);
        // It is awaited in `finish`; until then its failure is nobody's.
        exported.catch(() => undefined);
        return exported;
      });
  }

  /** Downloads and commits. */
  async finish(): Promise<void> {
    this.begin();
    try {
      const { journal } = this.#context;
      const place = this.#place();
      const ready = [...this.#exports];
      for (const range of this.task.fetch)
        if (!journal.get(place, range)) await this.#download(range, place, ready.shift());
      if (place === 'incoming') await this.#merge();
      this.#report({ stage: 'done', percent: 100 });
    } catch (error) {
      this.#report({
        stage: 'failed',
        message: error instanceof Error ? error.message : String(error),
      });
      throw error;
    }
  }

  #place(): Place {
    return this.task.have.length === 0 ? 'final' : 'incoming';
  }

  #report(change: Partial<RangeProgress>): void {
    Object.assign(this.#progress, change);
    this.#context.onProgress(this.progress);
  }

  /** The export of a range: the one that an earlier run asked for, or a new one. */
  async #exported(range: TypedRange): Promise<ExportObject> {
    const { client, journal, signal, openExport } = this.#context;
    const onProgress = ({ percentComplete }: ExportObject): void =>
      this.#report({ stage: 'exporting', percent: percentComplete });
    return openExport(async () => {
      const { exportId } = journal.pending(range);
      if (exportId !== undefined) {
        try {
          const exported = await client.wait(exportId, { signal, onProgress });
          // One whose files are gone has none to go on with.
          if (exported.exportUrls) return exported;
          await journal.restart(range);
        } catch (error) {
          if (!(error instanceof ExportError) || !USELESS.has(error.code)) throw error;
          await journal.restart(range);
        }
      }
      this.#report({ stage: 'creating', percent: 0 });
      const { type, startTime, endTime } = range;
      return exportRange(
        client,
        { type, startTime, endTime },
        { signal, onProgress, onCreated: (id) => journal.exportCreated(range, id) },
      );
    });
  }

  async #download(
    range: TypedRange,
    place: Place,
    ready: Promise<ExportObject> | undefined,
  ): Promise<void> {
    const { client, journal, zone, downloads, signal } = this.#context;
    let exporting = ready ?? this.#exported(range);
    for (let attempt = 1; ; attempt++) {
      const exported = await exporting;
      this.#report({ stage: 'downloading', percent: 0 });
      const download = new RangeDownload({
        client,
        journal,
        range,
        place,
        zone,
        downloads,
        signal,
        onProgress: ({ files, filesTotal, objects, bytes }) =>
          this.#report({
            files,
            filesTotal,
            objects,
            bytes,
            percent: filesTotal === 0 ? 100 : (files / filesTotal) * 100,
          }),
      });
      try {
        const downloaded = await download.run(exported);
        this.received.objects += downloaded.received.objects;
        this.received.bytes += downloaded.received.bytes;
        await this.#commit(downloaded);
        return;
      } catch (error) {
        if (!(error instanceof ExportError) || !USELESS.has(error.code)) throw error;
        await journal.restart(range);
        const isGone = error.code === 'GONE';
        if (!isGone || attempt >= client.transport.retry.exports) throw error;
        this.#context.warn(`${shownRange(range)}: ${error.message}; it is exported again`);
        exporting = this.#exported(range);
      }
    }
  }

  #noteOutside({ tally, exports }: DoneRange): void {
    if (tally.outside > 0)
      this.#context.warn(
        `${this.#progress.name}: export ${exports.join(', ')} holds ${tally.outside} objects whose createdTime is outside the range; they are kept`,
      );
  }

  /** Where the far side's order is not ours, one more pass on disk. Files as served stay as they are. */
  async #commit({ done, moves, isAscending }: DownloadedRange): Promise<void> {
    const { journal, zone, signal } = this.#context;
    this.#noteOutside(done);
    if (isAscending || isServed(journal.layout) || done.place === 'incoming')
      return journal.rangeDone(done, moves);
    this.#report({ stage: 'merging' });
    const parts = new Map(moves.map(([part, final]) => [final, part]));
    const files = done.files.map((file) => ({ ...file, path: parts.get(file.path) ?? file.path }));
    const asItCame = { ...done, files };
    const sorted = await merge({
      journal,
      inputs: [{ range: asItCame }],
      into: done,
      zone,
      signal,
    });
    await journal.rangeDone(sorted.done, sorted.moves, [asItCame]);
  }

  async #merge(): Promise<void> {
    const { journal, zone, signal } = this.#context;
    const { range, have, fetch } = this.task;
    this.#report({ stage: 'merging', percent: 0 });
    const incoming = fetch.flatMap((piece) => journal.get('incoming', piece) ?? []);
    const inputs = [...have, ...incoming].map((done) => ({ range: done }));
    const merged = await merge({ journal, inputs, into: range, zone, signal });
    await journal.rangeDone(merged.done, merged.moves, [...have, ...incoming]);
    this.#report({ objects: merged.done.tally.objects, files: merged.done.files.length });
  }
}
