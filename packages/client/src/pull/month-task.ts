import type { ExportObject } from '@tillroll/contract';
import type { LimitFunction } from 'p-limit';
import type { ExportApi } from '../api/export-api.ts';
import type { AssemblySession } from '../assemble/assembler.ts';
import {
  hasAllParts,
  openExportParts,
  type ExportParts,
  type Part,
} from '../download/export-parts.ts';
import { obtainExport } from '../download/obtain-export.ts';
import { ERRORS, ExportError } from '../errors.ts';
import type { OnWaiting } from '../http/retry.ts';
import {
  commitMonth,
  findExisting,
  startAssembly,
  type AssemblyContext,
  type StagedMonth,
} from './commit-month.ts';
import type { MonthProgress } from './events.ts';
import { forgetExports, noteExport } from './open-exports.ts';
import type { MonthPlan, RangePlan } from './plan.ts';

/** Parts that the worker knows of: it reads the next ones while it is busy with one. */
const PARTS_AT_ONCE = 6;

/** What the months of a pull share. */
export interface PullContext extends AssemblyContext {
  api: ExportApi;
  /** Bounds the files that are downloaded at once. */
  downloads: LimitFunction;
  /** Bounds the exports that are open at once. */
  exports: LimitFunction;
  signal: AbortSignal;
  onWaiting: OnWaiting;
  onProgress: (progress: MonthProgress) => void;
  warn: (message: string) => void;
}

/** One export of the month. */
interface RangeWork {
  range: RangePlan;
  /** The finished export; its id alone where all of its files are on disk. */
  exported: Promise<{ id: string; exported?: ExportObject }>;
  parts: ExportParts | undefined;
  isGone: boolean;
}

/** One month of the directory: its exports, their files, and the month's file made of them. */
export class MonthTask {
  /** What was received, in objects and inflated bytes. */
  readonly received = { objects: 0, bytes: 0 };
  readonly #plan: MonthPlan;
  /** The end of the whole span. */
  readonly #spanEnd: number;
  readonly #context: PullContext;
  readonly #progress: MonthProgress;
  /** How far the exports that were created are, in per cent. */
  readonly #exportPercents = new Map<RangePlan, number>();
  #work: RangeWork[] = [];

  constructor(plan: MonthPlan, spanEnd: number, context: PullContext) {
    this.#plan = plan;
    this.#spanEnd = spanEnd;
    this.#context = context;
    const { type, month, span, have, fetch } = plan;
    const isKept = fetch.length === 0;
    this.#progress = {
      name: `${type.toLowerCase()}/${month}`,
      type,
      month,
      ...span,
      stage: isKept ? 'kept' : 'planned',
      percent: isKept ? 100 : 0,
      objects: have?.lines.objects ?? 0,
      bytes: 0,
      files: 0,
      filesTotal: isKept ? 0 : null,
    };
  }

  get progress(): MonthProgress {
    return { ...this.#progress };
  }

  get isKept(): boolean {
    return this.#plan.fetch.length === 0;
  }

  /** Asks for the exports, so that they are ready when it is this month's turn. */
  begin(): void {
    if (this.#work.length > 0) return;
    this.#work = this.#plan.fetch.map((range) => ({
      range,
      exported: this.#obtain(range),
      parts: undefined,
      isGone: false,
    }));
  }

  /**
   * Makes the month's file of the served files as they come, and commits it.
   * @param downloadTurn is held until all files are on disk.
   * @throws ExportError. What is on disk is kept, so that a later pull can resume.
   */
  async run(downloadTurn: LimitFunction): Promise<void> {
    this.begin();
    try {
      let assembling: Promise<void> | undefined;
      await downloadTurn(async () => {
        await this.#open();
        assembling = this.#assembleAgain();
        // A month that failed does not wait for the rest of its files.
        await Promise.race([this.#downloaded(), assembling.catch(() => undefined)]);
      });
      await assembling;
      this.#report({ stage: 'done', percent: 100 });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      // Where the whole pull ends, this month is not the one that failed.
      if (!this.#context.signal.aborted) this.#report({ stage: 'failed', message });
      if (error instanceof ExportError && !ERRORS[error.code].isResumable)
        await forgetExports(this.#context.directory, this.#plan.type, this.#plan.fetch);
      throw error;
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    for (const { parts } of this.#work) await parts?.[Symbol.asyncDispose]();
  }

  #report(change: Partial<MonthProgress>): void {
    Object.assign(this.#progress, change);
    this.#context.onProgress(this.progress);
  }

  /** The export of a range: the one that an earlier pull asked for, or a new one. */
  #obtain(range: RangePlan): RangeWork['exported'] {
    const exported = this.#context.exports(async () => {
      const { exportId } = range;
      const { directory } = this.#context;
      if (exportId !== undefined && (await hasAllParts(directory.partsFolder(exportId), exportId)))
        return { id: exportId };
      const obtained = await this.#askFor(range);
      return { id: obtained.id, exported: obtained };
    });
    // It is awaited in `open`; until then its failure is nobody's.
    exported.catch(() => undefined);
    return exported;
  }

  async #askFor(range: RangePlan): Promise<ExportObject> {
    const { api, directory, signal, onWaiting } = this.#context;
    const { type } = this.#plan;
    const { startTime, endTime, exportId } = range;
    this.#reportExport(range, exportId === undefined ? undefined : 0);
    return obtainExport(
      api,
      { type, startTime, endTime },
      {
        exportId,
        signal,
        onWaiting,
        onProgress: ({ percentComplete }) => this.#reportExport(range, percentComplete),
        onCreated: (id) => noteExport(directory, type, range, id),
      },
    );
  }

  /** @param percent undefined until the export was created. */
  #reportExport(range: RangePlan, percent: number | undefined): void {
    if (percent !== undefined) this.#exportPercents.set(range, percent);
    const percents = [...this.#exportPercents.values()];
    this.#report({
      stage: percents.length === 0 ? 'creating' : 'exporting',
      percent: percents.reduce((sum, each) => sum + each, 0) / this.#plan.fetch.length,
    });
  }

  async #open(): Promise<void> {
    for (const work of this.#work) await this.#openParts(work);
    const filesTotal = this.#work.reduce((sum, { parts }) => sum + (parts?.count ?? 0), 0);
    this.#report({ stage: 'downloading', percent: 0, filesTotal });
  }

  async #openParts(work: RangeWork): Promise<void> {
    const { api, directory, downloads, signal, onWaiting } = this.#context;
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
  }

  /** Resolves when all files are on disk, or one cannot be had. */
  async #downloaded(): Promise<void> {
    for (const { parts } of this.#work)
      for (let position = 0; position < (parts?.count ?? 0); position++)
        await parts?.part(position).catch(() => undefined);
  }

  /** Where the files of an export go away meanwhile, those of another export take their place. */
  async #assembleAgain(): Promise<void> {
    const { api, warn, directory } = this.#context;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#assemble();
        return;
      } catch (error) {
        if (!(error instanceof ExportError) || error.code !== 'GONE') throw error;
        if (attempt >= api.retry.exports) throw error;
        warn(`${this.#progress.name}: ${error.message}; it is exported again`);
        for (const work of this.#work.filter(({ isGone }) => isGone)) {
          await work.parts?.[Symbol.asyncDispose]();
          await forgetExports(directory, this.#plan.type, [work.range]);
          this.#exportPercents.delete(work.range);
          work.exported = this.#obtain(work.range);
          work.isGone = false;
        }
        await this.#open();
      }
    }
  }

  async #assemble(): Promise<void> {
    const { directory } = this.#context;
    const { type, month, covers, have, span } = this.#plan;
    const dropsAt = span.endTime === this.#spanEnd ? this.#spanEnd : null;
    const existing = have && findExisting(directory, type, month, have);
    const assembly = { type, covers, dropsAt };
    const { session, paths } = await startAssembly(this.#context, assembly, existing);
    let staged: StagedMonth;
    try {
      this.#report({ files: 0, objects: 0, bytes: 0 });
      for (const work of this.#work) await this.#addParts(session, work);
      this.#report({ stage: 'assembling' });
      staged = { paths, file: await session.finish() };
    } catch (error) {
      await session.abort();
      throw error;
    }
    const exports = this.#work.flatMap(({ parts }) => parts?.exportId ?? []);
    this.#warnOfOutside(staged, exports);
    const { objects } = await commitMonth(this.#context, this.#plan, staged, exports, (fraction) =>
      this.#report({ stage: 'converting', percent: fraction * 100 }),
    );
    this.#report({ objects });
  }

  #warnOfOutside({ file }: StagedMonth, exports: readonly string[]): void {
    const { outside } = file.tally;
    if (outside > 0)
      this.#context.warn(
        `${this.#progress.name}: export ${exports.join(', ')} holds ${outside} objects whose createdTime is outside the range; they are kept`,
      );
  }

  async #addParts(session: AssemblySession, work: RangeWork): Promise<void> {
    const { parts } = work;
    try {
      const inProgress: Promise<void>[] = [];
      for (let position = 0; parts && position < parts.count; position++) {
        const part = await parts.part(position);
        const adding = this.#addPart(session, parts, part);
        adding.catch(() => undefined);
        inProgress.push(adding);
        if (inProgress.length >= PARTS_AT_ONCE) await inProgress.shift();
      }
      for (const adding of inProgress) await adding;
    } catch (error) {
      work.isGone = error instanceof ExportError && error.code === 'GONE';
      throw error;
    }
  }

  /** A part that is not what was expected is fetched again. */
  async #addPart(session: AssemblySession, parts: ExportParts, first: Part): Promise<void> {
    const { exportId } = parts;
    let part = first;
    for (;;) {
      try {
        const { objects, bytes } = await session.add({ ...part, exportId });
        this.#noteReceived(objects, bytes);
        return;
      } catch (error) {
        if (!(error instanceof ExportError) || error.code !== 'BAD_FILE') throw error;
        part = await parts.refetch(part.position, error);
      }
    }
  }

  #noteReceived(objects: number, bytes: number): void {
    this.received.objects += objects;
    this.received.bytes += bytes;
    const { files, filesTotal } = this.#progress;
    this.#report({
      stage: 'downloading',
      files: files + 1,
      objects: this.#progress.objects + objects,
      bytes: this.#progress.bytes + bytes,
      percent: filesTotal ? ((files + 1) / filesTotal) * 100 : 100,
    });
  }
}
