/** Pulls one month, from its exports to its commit. */
import type { LimitFunction } from 'p-limit';
import type { AssemblySession } from '../assemble/assembler.ts';
import type { ExportParts, Part } from '../download/export-parts.ts';
import { ERRORS, ExportError } from '../errors.ts';
import {
  commitMonth,
  findExisting,
  startAssembly,
  type AssemblyContext,
  type StagedMonth,
} from './commit-month.ts';
import type { MonthProgress } from './types.ts';
import { MonthExports, type ExportsContext } from './month-exports.ts';
import type { MonthPlan } from './plan-type.ts';

/** Parts given to the worker at once: it reads the next ones while it is busy with one. */
const PARTS_AT_ONCE = 6;

/** The context that the months of a pull share. */
export interface PullContext extends AssemblyContext, ExportsContext {
  onProgress: (progress: MonthProgress) => void;
  warn: (message: string) => void;
}

/** Pulls one month: its exports, their files, and the month's file made from them. */
export class MonthTask {
  /** The objects and inflated bytes received, and the time that their files took, in ms. */
  readonly received = { objects: 0, bytes: 0, ms: 0 };
  readonly #plan: MonthPlan;
  /** The end of the whole span. */
  readonly #spanEnd: number;
  readonly #context: PullContext;
  readonly #progress: MonthProgress;
  readonly #exports: MonthExports;

  constructor(plan: MonthPlan, spanEnd: number, context: PullContext) {
    this.#plan = plan;
    this.#spanEnd = spanEnd;
    this.#context = context;
    const { type, month, span, existing, ranges } = plan;
    const isKept = ranges.length === 0;
    this.#progress = {
      name: `${type.toLowerCase()}/${month}`,
      type,
      month,
      ...span,
      stage: isKept ? 'kept' : 'planned',
      percent: isKept ? 100 : 0,
      objects: existing?.lines.objects ?? 0,
      bytes: 0,
      files: 0,
      filesTotal: isKept ? 0 : null,
    };
    this.#exports = new MonthExports(type, ranges, context, (stage, percent) =>
      this.#report({ stage, percent }),
    );
  }

  get progress(): MonthProgress {
    return { ...this.#progress };
  }

  get isKept(): boolean {
    return this.#plan.ranges.length === 0;
  }

  /** Asks for the exports, so that they are ready when it is this month's turn. */
  begin(): void {
    this.#exports.begin();
  }

  /**
   * Makes the month's file from the raw files as they come, and commits it.
   * @param downloadTurn is held until all files are on disk.
   * @throws ExportError. What is on disk is kept, so that a later pull can resume.
   */
  async run(downloadTurn: LimitFunction): Promise<void> {
    this.begin();
    try {
      let assembling: Promise<void> | undefined;
      await downloadTurn(async () => {
        this.#reportOpened(await this.#exports.open());
        const openedAt = performance.now();
        assembling = this.#assembleAgain();
        // A month that failed does not wait for the rest of its files.
        await Promise.race([
          this.#exports.waitUntilDownloaded(),
          assembling.catch(() => undefined),
        ]);
        this.received.ms += performance.now() - openedAt;
      });
      await assembling;
      this.#report({ stage: 'done', percent: 100 });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      // When the whole pull ends, this month is not the one that failed.
      if (!this.#context.signal.aborted) this.#report({ stage: 'failed', message });
      if (error instanceof ExportError && !ERRORS[error.code].isResumable)
        await this.#exports.forget();
      throw error;
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    await this.#exports.close();
  }

  #report(change: Partial<MonthProgress>): void {
    Object.assign(this.#progress, change);
    this.#context.onProgress(this.progress);
  }

  #reportOpened(filesTotal: number): void {
    this.#report({ stage: 'downloading', percent: 0, filesTotal });
  }

  /** Assembles the month. When the files of an export are gone in between, those of a new export replace them. */
  async #assembleAgain(): Promise<void> {
    const { api, warn } = this.#context;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#assemble();
        return;
      } catch (error) {
        if (!(error instanceof ExportError) || error.code !== 'GONE') throw error;
        if (attempt >= api.retry.exports) throw error;
        warn(`${this.#progress.name}: ${error.message}; it is exported again`);
        this.#reportOpened(await this.#exports.replaceGone());
      }
    }
  }

  async #assemble(): Promise<void> {
    const { directory } = this.#context;
    const { type, month, covers, existing, span } = this.#plan;
    const dropsAt = span.endTime === this.#spanEnd ? this.#spanEnd : null;
    const published = existing && findExisting(directory, type, month, existing);
    const assembly = { type, covers, dropsAt };
    const { session, paths } = await startAssembly(this.#context, assembly, published);
    let staged: StagedMonth;
    try {
      this.#report({ files: 0, objects: 0, bytes: 0 });
      for (const parts of this.#exports.parts) await this.#addParts(session, parts);
      this.#report({ stage: 'assembling' });
      staged = { paths, file: await session.finish() };
    } catch (error) {
      await session.abort();
      throw error;
    }
    const exports = this.#exports.parts.map(({ exportId }) => exportId);
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

  async #addParts(session: AssemblySession, parts: ExportParts): Promise<void> {
    try {
      const inProgress: Promise<void>[] = [];
      for (let position = 0; position < parts.count; position++) {
        const part = await parts.part(position);
        const adding = this.#addPart(session, parts, part);
        adding.catch(() => undefined);
        inProgress.push(adding);
        if (inProgress.length >= PARTS_AT_ONCE) await inProgress.shift();
      }
      for (const adding of inProgress) await adding;
    } catch (error) {
      if (error instanceof ExportError && error.code === 'GONE') this.#exports.noteGone(parts);
      throw error;
    }
  }

  /** Adds a part. One that is damaged is fetched again. */
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
