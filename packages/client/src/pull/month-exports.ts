/** Obtains the exports of one month and opens their files. */
import type { ExportObject, ExportType, TimeRange } from '@tillroll/contract';
import type { LimitFunction } from 'p-limit';
import type { ExportApi } from '../api/export-api.ts';
import type { Directory } from '../directory/directory.ts';
import { hasAllParts, openExportParts, type ExportParts } from '../download/export-parts.ts';
import { obtainExport } from '../download/obtain-export.ts';
import type { OnWaiting } from '../http/retry.ts';
import type { RangePlan } from './plan-type.ts';

/** The context that the exports of one pull share. */
export interface ExportsContext {
  api: ExportApi;
  directory: Directory;
  /** Bounds the files that are downloaded at once. */
  downloads: LimitFunction;
  /** Bounds the exports that are open at once. */
  exports: LimitFunction;
  signal: AbortSignal;
  onWaiting: OnWaiting;
}

/** One export of the month. */
interface RangeWork {
  range: RangePlan;
  /** The finished export; its id alone where all of its files are on disk. */
  exported: Promise<{ id: string; exported?: ExportObject }>;
  parts: ExportParts | undefined;
  isGone: boolean;
}

/** Obtains the exports of one month, and their files. */
export class MonthExports {
  readonly #type: ExportType;
  readonly #ranges: readonly RangePlan[];
  readonly #context: ExportsContext;
  readonly #onProgress: (stage: 'creating' | 'exporting', percent: number) => void;
  /** Progress of the exports that were created, in per cent. */
  readonly #percents = new Map<RangePlan, number>();
  #work: RangeWork[] = [];

  /** @param onProgress is called with the progress of all of the exports, in per cent. */
  constructor(
    type: ExportType,
    ranges: readonly RangePlan[],
    context: ExportsContext,
    onProgress: (stage: 'creating' | 'exporting', percent: number) => void,
  ) {
    this.#type = type;
    this.#ranges = ranges;
    this.#context = context;
    this.#onProgress = onProgress;
  }

  /** Asks for the exports, so that they are ready when they are needed. */
  begin(): void {
    if (this.#work.length > 0) return;
    this.#work = this.#ranges.map((range) => ({
      range,
      exported: this.#obtain(range),
      parts: undefined,
      isGone: false,
    }));
  }

  /** Obtains the export of a range: the one that an earlier pull asked for, or a new one. */
  #obtain(range: RangePlan): RangeWork['exported'] {
    const { exports, directory } = this.#context;
    const exported = exports(async () => {
      const { exportId } = range;
      if (exportId !== undefined && (await hasAllParts(directory.partsFolder(exportId), exportId)))
        return { id: exportId };
      const obtained = await this.#askFor(range);
      return { id: obtained.id, exported: obtained };
    });
    // It is awaited in `open`, where a failure is reported.
    exported.catch(() => undefined);
    return exported;
  }

  async #askFor(range: RangePlan): Promise<ExportObject> {
    const { api, signal, onWaiting } = this.#context;
    const { startTime, endTime, exportId } = range;
    this.#report(range, exportId === undefined ? undefined : 0);
    return obtainExport(
      api,
      { type: this.#type, startTime, endTime },
      {
        exportId,
        signal,
        onWaiting,
        onProgress: ({ percentComplete }) => this.#report(range, percentComplete),
        onCreated: (id) => this.#note(range, id),
      },
    );
  }

  /** @param percent undefined until the export was created. */
  #report(range: RangePlan, percent: number | undefined): void {
    if (percent !== undefined) this.#percents.set(range, percent);
    const percents = [...this.#percents.values()];
    const sum = percents.reduce((total, each) => total + each, 0);
    this.#onProgress(percents.length === 0 ? 'creating' : 'exporting', sum / this.#ranges.length);
  }

  /** Notes an export in the directory's state, so that a later pull can continue it. */
  async #note(range: RangePlan, id: string): Promise<void> {
    const { startTime, endTime } = range;
    await this.#context.directory.update(({ types }) => {
      const known = types[this.#type];
      if (!known) return;
      const others = known.exports.filter((other) => !isSameRange(other, range));
      known.exports = [...others, { startTime, endTime, id }];
    });
    range.exportId = id;
  }

  /** Removes exports that cannot be continued from the directory's state. */
  async forget(ranges: readonly RangePlan[] = this.#ranges): Promise<void> {
    await this.#context.directory.update(({ types }) => {
      const known = types[this.#type];
      if (known)
        known.exports = known.exports.filter(
          (open) => !ranges.some((range) => isSameRange(range, open)),
        );
    });
    for (const range of ranges) range.exportId = undefined;
  }

  /** Waits for the exports, and begins to fetch their files. @returns how many files there are. */
  async open(): Promise<number> {
    const { api, directory, downloads, signal, onWaiting } = this.#context;
    let count = 0;
    for (const work of this.#work) {
      const { id, exported } = await work.exported;
      work.parts = await openExportParts({
        api,
        exportId: id,
        exported,
        folder: directory.partsFolder(id),
        limit: downloads,
        signal,
        onWaiting,
      });
      count += work.parts.count;
    }
    return count;
  }

  /** The parts of the exports, by time. */
  get parts(): ExportParts[] {
    return this.#work.flatMap(({ parts }) => parts ?? []);
  }

  /** Resolves when each file is on disk or has failed. */
  async waitUntilDownloaded(): Promise<void> {
    for (const parts of this.parts)
      for (let position = 0; position < parts.count; position++)
        await parts.part(position).catch(() => undefined);
  }

  /** Marks an export whose files are no longer served. */
  noteGone(gone: ExportParts): void {
    for (const work of this.#work) work.isGone ||= work.parts === gone;
  }

  /** Asks for new exports in place of those whose files are gone, and opens all of them. @returns the number of files. */
  async replaceGone(): Promise<number> {
    // Files opened earlier are on disk as far as they were received.
    await this.close();
    for (const work of this.#work.filter(({ isGone }) => isGone)) {
      await this.forget([work.range]);
      this.#percents.delete(work.range);
      work.exported = this.#obtain(work.range);
      work.isGone = false;
    }
    return this.open();
  }

  /** Stops the downloads that are in flight. */
  async close(): Promise<void> {
    for (const parts of this.parts) await parts[Symbol.asyncDispose]();
  }
}

function isSameRange(a: TimeRange, b: TimeRange): boolean {
  return a.startTime === b.startTime && a.endTime === b.endTime;
}
