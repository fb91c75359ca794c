/** Runs a pull into a directory that it holds. */
import pLimit from 'p-limit';
import type { ExportApi } from '../api/export-api.ts';
import { Assembler } from '../assemble/assembler.ts';
import type { Directory } from '../directory/directory.ts';
import { DATABASE_FILE } from '../directory/layout.ts';
import type { Receipt } from '../directory/receipt.ts';
import { describeBasis } from '../directory/state.ts';
import { ERRORS, ExportError } from '../errors.ts';
import { Zone } from '../time/zone.ts';
import { listReasons } from './types.ts';
import type { FailedMonth, PullEvent, PullOptions, PullResult } from './types.ts';
import { MonthTask, type PullContext } from './month-task.ts';
import type { CheckedOptions } from './options.ts';
import { chooseEnd, planPull } from './plan-pull.ts';
import type { TypePlan } from './plan-type.ts';
import { repairMonths } from './repair.ts';
import { stageDirectoryTables, type TableContext } from './stage-tables.ts';

/** Months in progress at once: one is assembled while the files of the next one come. */
const MONTHS_AT_ONCE = 2;

/** The parts of a run. */
export interface PullRunOptions {
  api: ExportApi;
  options: PullOptions;
  checked: CheckedOptions;
  /** Held by its lease. */
  directory: Directory;
  tables: TableContext | undefined;
  signal: AbortSignal;
}

/** Runs one pull into a directory whose lease is held: repairs, plans, fetches, and writes the receipt. */
export class PullRun implements AsyncDisposable {
  readonly #run: PullRunOptions;
  readonly #zone: Zone;
  readonly #assembler = new Assembler();
  readonly #failed: FailedMonth[] = [];
  readonly #stop = new AbortController();
  readonly #context: PullContext;
  #tasks: MonthTask[] = [];
  /** The failure that ended the pull as a whole. */
  #failure: { error: unknown } | undefined;

  constructor(run: PullRunOptions) {
    this.#run = run;
    this.#zone = new Zone(run.directory.state.timezone);
    this.#context = this.#createContext();
  }

  /** @throws ExportError when the whole pull failed. */
  async run(): Promise<PullResult> {
    const { directory, options, checked } = this.#run;
    try {
      const damaged = await repairMonths(this.#context);
      const { zone } = this.#context;
      const { overlapMs } = checked;
      const endTime = await chooseEnd({ ...this.#context, state: directory.state }, options);
      const { state } = directory;
      const plans = planPull({ options, overlapMs, state, zone, endTime, damaged });
      await this.#notePlans(plans);
      await this.#fetch(plans);
    } catch (error) {
      // Also after a failure, the receipt says what is there.
      const isBegun = Object.keys(directory.state.types).length > 0;
      if (isBegun) await this.#writeReceipt().catch(() => undefined);
      throw error;
    }
    const receipt = await this.#writeReceipt();
    const received = { objects: 0, bytes: 0, ms: 0 };
    for (const task of this.#tasks) {
      received.objects += task.received.objects;
      received.bytes += task.received.bytes;
      received.ms += Math.round(task.received.ms);
    }
    const { out } = directory;
    return { complete: receipt.complete, out, receipt, failed: this.#failed, received };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#tasks.map((task) => task.close()));
    await this.#assembler[Symbol.asyncDispose]();
  }

  #report(event: PullEvent): void {
    this.#run.options.onProgress?.(event);
  }

  #warn(message: string): void {
    this.#report({ event: 'warning', message });
  }

  #createContext(): PullContext {
    const { api, directory, checked, tables, signal } = this.#run;
    return {
      api,
      directory,
      assembler: this.#assembler,
      zone: this.#zone,
      tables,
      downloads: pLimit(checked.downloads),
      exports: pLimit(checked.concurrency),
      commitTurn: pLimit(1),
      failed: this.#failed,
      signal: AbortSignal.any([signal, this.#stop.signal]),
      onWaiting: (waiting) => this.#report({ event: 'waiting', ...waiting }),
      onProgress: (month) => this.#report({ event: 'month', month }),
      warn: (message) => this.#warn(message),
    };
  }

  /** Notes what the directory is to hold. Exports that this pull does not continue are forgotten. */
  async #notePlans(plans: readonly TypePlan[]): Promise<void> {
    await this.#run.directory.update(({ types }) => {
      for (const { type, span, refreshFrom, months } of plans) {
        const known = types[type];
        const continued = new Set(
          months.flatMap(({ ranges }) => ranges.flatMap(({ exportId }) => exportId ?? [])),
        );
        types[type] = {
          months: known?.months ?? {},
          wanted: span,
          refreshFrom,
          exports: (known?.exports ?? []).filter(({ id }) => continued.has(id)),
        };
      }
    });
  }

  async #fetch(plans: readonly TypePlan[]): Promise<void> {
    const { directory } = this.#run;
    await this.#sweepParts();
    this.#tasks = plans.flatMap(({ months, span }) =>
      months.map((month) => new MonthTask(month, span.endTime, this.#context)),
    );
    this.#report({
      event: 'plan',
      from: Math.min(...plans.map(({ span }) => span.startTime)),
      to: Math.max(...plans.map(({ span }) => span.endTime)),
      timezone: this.#zone.name,
      out: directory.out,
      format: directory.state.format,
      months: this.#tasks.map(({ progress }) => progress),
    });
    const tasks = this.#tasks.filter(({ isKept }) => !isKept);
    if (tasks.length > 0) this.#assembler.start();
    await this.#runAll(tasks);
    if (this.#failed.length === 0)
      await directory.update(({ types }) => {
        for (const { type } of plans) {
          const known = types[type];
          if (known) known.refreshFrom = null;
        }
      });
    await this.#makeDatabase();
    await this.#sweepParts();
  }

  /** Runs the months. They are downloaded one after another; the exports of the next ones are made meanwhile. */
  async #runAll(tasks: readonly MonthTask[]): Promise<void> {
    const inProgress = pLimit(MONTHS_AT_ONCE);
    const downloadTurn = pLimit(1);
    const { concurrency } = this.#run.checked;
    const work = tasks.map((task, i) =>
      inProgress(async () => {
        for (const next of tasks.slice(i, i + 1 + concurrency)) next.begin();
        try {
          await task.run(downloadTurn);
        } catch (error) {
          this.#noteFailure(task.progress.name, error);
        }
      }),
    );
    await Promise.all(work);
    if (this.#failure) throw this.#failure.error;
  }

  /** Notes a failure of one month, and the others continue. Any other failure ends the pull. */
  #noteFailure(name: string, error: unknown): void {
    if (error instanceof ExportError && ERRORS[error.code].scope === 'month') {
      const { message, code, hint } = error;
      this.#failed.push({ name, message, code, hint });
      return;
    }
    // Later errors of other months are its consequences.
    this.#failure ??= { error };
    this.#stop.abort();
  }

  /** Makes the table file of the whole directory, where the format has one. */
  async #makeDatabase(): Promise<void> {
    const { directory, tables } = this.#run;
    if (!tables || tables.maker.scope(tables.format) !== 'directory') return;
    const basis = describeBasis(directory.state);
    if (directory.state.database?.basis === basis) return;
    try {
      const made = await stageDirectoryTables(directory, tables, (fraction) =>
        this.#report({ event: 'converting', path: DATABASE_FILE, fraction }),
      );
      await directory.commit(
        (draft) => void (draft.database = { basis, tables: made.tables }),
        made.files,
        listReasons(this.#failed),
      );
    } catch (error) {
      this.#noteFailure(DATABASE_FILE, error);
      if (this.#failure) throw error;
    }
  }

  async #sweepParts(): Promise<void> {
    const { types } = this.#run.directory.state;
    const open = Object.values(types).flatMap(({ exports }) => exports.map(({ id }) => id));
    await this.#run.directory.sweepParts(new Set(open));
  }

  async #writeReceipt(): Promise<Receipt> {
    const { directory } = this.#run;
    return directory.commit(() => undefined, [], listReasons(this.#failed));
  }
}
