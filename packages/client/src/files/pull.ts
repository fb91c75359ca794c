import { rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EXPORT_TYPES, type ExportType, type TimeRange } from '@tillroll/contract';
import type { ExportClient } from '../client.ts';
import { ExportError, usageError, type ErrorCode } from '../errors.ts';
import { interrupted } from '../http/backoff.ts';
import { instantText, parseWhen } from '../span.ts';
import { Zone } from '../zone.ts';
import { convertRanges } from './convert.ts';
import { diskError, removeFiles, writeWhole } from './disk.ts';
import { settleEdges } from './edges.ts';
import { Journal, prepareDirectory, type DirectoryHead, type StoredFile } from './journal.ts';
import {
  absolute,
  byTypeAndTime,
  isConverted,
  linesPath,
  MERGE,
  PART,
  rangeKey,
  servedFolder,
  shownRange,
  type Layout,
  type TypedRange,
} from './layout.ts';
import { DirectoryLock } from './lock.ts';
import { makeReceipt } from './make-receipt.ts';
import { coveredSpan, planType, type TypePlan } from './plan.ts';
import { checkDates, checkedOptions, headOf, type CheckedOptions } from './pull-options.ts';
import type { PullEvent, PullOptions, PullResult } from './pull-types.ts';
import { RangeTask } from './range-task.ts';
import { RECEIPT_FILE, type Receipt } from './receipt.ts';

/** These are about one range: the others go on. Everything else ends the pull. */
const OF_ONE_RANGE: ReadonlySet<ErrorCode> = new Set([
  'EXPORT_FAILED',
  'BAD_FILE',
  'DUPLICATE_ID',
  'GONE',
  'TIMEOUT',
  'PROTOCOL',
]);

/**
 * Fetches a span into a directory: resumable at any point, checked, with a receipt. Ranges that fail are
 * in the result, and the others are there; what ends everything (a token that is refused, a full disk,
 * the signal) is thrown, and the same call goes on later.
 * @throws ExportError
 */
export async function pull(client: ExportClient, options: PullOptions): Promise<PullResult> {
  try {
    return await pullInto(client, options);
  } catch (error) {
    throw options.signal?.aborted ? interrupted(error) : diskError(error);
  }
}

async function pullInto(client: ExportClient, options: PullOptions): Promise<PullResult> {
  const wanted = checkedOptions(options);
  const out = resolve(options.out);
  const early = await directoryOf(client, options, out);
  if (isConverted(early.head.format)) {
    if (!options.tables)
      throw usageError(
        `format ${early.head.format} needs the option tables`,
        "import { tables } from '@tillroll/formats' and hand it over",
      );
    await options.tables.require(early.head.format);
  }
  // A bad date should leave no directory behind.
  checkDates(options, early.head.timezone);
  await prepareDirectory(out, early.isKnown);
  // Not `using`: Node 22 does not know it, and runs this as it is.
  const lock = await DirectoryLock.take({ out });
  try {
    // Looked at again: until now another process may have been at work.
    const { head, isBegun } = await directoryOf(client, options, out);
    const layout: Layout = { out, format: head.format, gzip: head.gzip };
    const journal = await Journal.open(layout, head, isBegun);
    try {
      return await finishAndGoOn(client, options, journal, wanted);
    } finally {
      await journal[Symbol.asyncDispose]();
    }
  } finally {
    lock[Symbol.dispose]();
  }
}

async function directoryOf(
  client: ExportClient,
  options: PullOptions,
  out: string,
): Promise<{ isKnown: boolean; isBegun: boolean; head: DirectoryHead }> {
  const known = await Journal.head(out);
  const isBegun = known !== undefined && (await Journal.isBegun(out));
  const head = headOf(client, options, isBegun ? known : undefined, out);
  return { isKnown: known !== undefined, isBegun, head };
}

/** A pull that was broken off is finished to its own end first; then comes what is newer. */
async function finishAndGoOn(
  client: ExportClient,
  options: PullOptions,
  journal: Journal,
  wanted: CheckedOptions,
): Promise<PullResult> {
  const first = new PullRun(client, options, journal, wanted);
  let result = await first.run();
  if (result.complete && first.finishedEarlier) {
    const { objects, bytes } = result.received;
    result = await new PullRun(client, options, journal, wanted).run();
    result.received.objects += objects;
    result.received.bytes += bytes;
  }
  options.onProgress?.({ event: 'done', complete: result.complete });
  return result;
}

class PullRun {
  readonly #client: ExportClient;
  readonly #options: PullOptions;
  readonly #journal: Journal;
  readonly #wanted: CheckedOptions;
  readonly #zone: Zone;
  readonly #failed: PullResult['failed'] = [];
  readonly #missing: Receipt['missing'] = [];
  readonly #abort = new AbortController();
  readonly #received = { objects: 0, bytes: 0 };
  /** Whether it ended where an earlier pull was to end, which is not now. */
  finishedEarlier = false;

  constructor(
    client: ExportClient,
    options: PullOptions,
    journal: Journal,
    wanted: CheckedOptions,
  ) {
    this.#client = client;
    this.#options = options;
    this.#journal = journal;
    this.#wanted = wanted;
    this.#zone = new Zone(journal.head.timezone);
  }

  async run(): Promise<PullResult> {
    const before = this.#client.listen((waiting) => this.#tell({ event: 'waiting', ...waiting }));
    try {
      await this.#dropDamaged();
      const plans = await this.#plan();
      await this.#tidy(plans);
      return await this.#fetch(plans);
    } finally {
      this.#client.listen(before);
    }
  }

  #tell(event: PullEvent): void {
    this.#options.onProgress?.(event);
  }

  #warn(message: string): void {
    this.#tell({ event: 'warning', message });
  }

  get #types(): readonly ExportType[] {
    const known = EXPORT_TYPES.filter((type) => this.#journal.wanted(type) !== undefined);
    const fallback = this.#options.sinceLast && known.length > 0 ? known : EXPORT_TYPES;
    const asked = this.#options.types ?? fallback;
    return EXPORT_TYPES.filter((type) => asked.includes(type));
  }

  /** What somebody removed or cut off is fetched again; `verify` finds what else may have happened to it. */
  async #dropDamaged(): Promise<void> {
    const { layout } = this.#journal;
    for (const range of this.#journal.done('final')) {
      const damaged = await firstDamaged(layout, range.files);
      if (damaged === undefined) continue;
      this.#warn(`${damaged} is missing or was cut off; its range is fetched again`);
      await this.#journal.drop(range);
    }
  }

  async #plan(): Promise<TypePlan[]> {
    const { sinceLast, signal } = this.#options;
    const types = this.#types;
    const end = await this.#end(types, signal);
    const plans = types.map((type) =>
      sinceLast
        ? this.#planSinceLast(type, end)
        : planType(this.#journal, type, this.#span(end), this.#journal.refresh(type)),
    );
    // Only a plan that can be kept is written down.
    for (const { type, span, tasks, refreshFrom } of plans) {
      await this.#journal.setWanted(type, span.startTime, span.endTime);
      if (refreshFrom !== undefined && tasks.some(({ fetch }) => fetch.length > 0))
        await this.#journal.setRefresh(type, refreshFrom);
    }
    return plans;
  }

  /** The end of the span: as asked; else that of a pull that was broken off; else now. */
  async #end(types: readonly ExportType[], signal: AbortSignal | undefined): Promise<number> {
    // What the hours are matters little here: the answer tells the far side's clock.
    await this.#client.availability({ signal }).catch((error: unknown) => {
      if (error instanceof ExportError && ['NETWORK', 'INTERRUPTED'].includes(error.code))
        throw error;
    });
    const now = Math.floor(this.#client.transport.now() / 1000) * 1000;
    if (this.#options.to !== undefined) {
      const asked = parseWhen('to', this.#options.to, this.#zone);
      if (asked <= now) return asked;
      this.#warn(`to is in the future; the pull ends now, at ${instantText(now)}`);
      return now;
    }
    const unfinished = types.flatMap((type) => {
      const wanted = this.#journal.wanted(type);
      if (!wanted) return [];
      const { tasks } = planType(this.#journal, type, wanted, this.#journal.refresh(type));
      return tasks.some(({ fetch }) => fetch.length > 0) ? [wanted.endTime] : [];
    });
    if (unfinished.length === 0) return now;
    const end = Math.max(...unfinished);
    this.finishedEarlier = true;
    this.#warn(`first what was broken off is finished, up to ${instantText(end)}`);
    return end;
  }

  #span(end: number): TimeRange {
    const startTime = parseWhen('from', this.#options.from ?? 0, this.#zone);
    if (startTime >= end)
      throw usageError(
        `from must lie in the past; got ${instantText(startTime)}, and it is ${instantText(end)}`,
      );
    return { startTime, endTime: end };
  }

  /** Also what an earlier pull wanted and did not get. */
  #planSinceLast(type: ExportType, end: number): TypePlan {
    const wanted = this.#journal.wanted(type);
    if (!wanted)
      throw usageError(
        `${this.#journal.layout.out} holds no ${type.toLowerCase()} yet, so there is no last time`,
        'Pull with from once; then sinceLast goes on',
      );
    const { startTime } = wanted;
    const coveredTo = coveredSpan(this.#journal, type)?.endTime ?? startTime;
    const overlapped = Math.max(startTime, coveredTo - this.#wanted.overlapMs);
    const refreshFrom = Math.min(overlapped, this.#journal.refresh(type) ?? overlapped);
    const span = { startTime, endTime: Math.max(end, coveredTo) };
    return planType(this.#journal, type, span, refreshFrom);
  }

  /** Removes what earlier runs began and this one does not go on with. */
  async #tidy(plans: readonly TypePlan[]): Promise<void> {
    const { layout } = this.#journal;
    const types = new Set(plans.map(({ type }) => type));
    const fetched = plans.flatMap(({ tasks }) => tasks.flatMap(({ fetch }) => fetch));
    const wanted = new Set(fetched.map(rangeKey));
    const isStale = (range: TypedRange): boolean =>
      types.has(range.type) && !wanted.has(rangeKey(range));
    for (const piece of this.#journal.done('incoming'))
      if (isStale(piece)) await this.#journal.drop(piece);
    for (const range of this.#journal.begun) {
      if (!isStale(range) || this.#journal.get('final', range)) continue;
      await this.#journal.restart(range);
      const begun = (['final', 'incoming'] as const).flatMap((place) => [
        `${linesPath(layout, place, range)}${PART}`,
        servedFolder(layout, place, range),
      ]);
      await removeFiles(begun.map((path) => absolute(layout, path)));
    }
    await rm(absolute(layout, MERGE), { recursive: true, force: true });
  }

  async #fetch(plans: readonly TypePlan[]): Promise<PullResult> {
    const { signal: outer = new AbortController().signal } = this.#options;
    const signal = AbortSignal.any([outer, this.#abort.signal]);
    const openExport = limited(this.#wanted.concurrency, signal);
    const tasks = plans
      .flatMap(({ tasks: ofType }) => ofType)
      .toSorted((a, b) => byTypeAndTime(a.range, b.range))
      .map(
        (task) =>
          new RangeTask(task, {
            client: this.#client,
            journal: this.#journal,
            zone: this.#zone,
            downloads: this.#wanted.downloads,
            signal,
            openExport,
            onProgress: (range) => this.#tell({ event: 'range', range }),
            warn: (message) => this.#warn(message),
          }),
      );
    this.#tell({
      event: 'plan',
      from: Math.min(...plans.map(({ span }) => span.startTime)),
      to: Math.max(...plans.map(({ span }) => span.endTime)),
      timezone: this.#zone.name,
      out: this.#journal.layout.out,
      ranges: tasks.map(({ progress }) => progress),
    });
    try {
      try {
        await this.#runAll(tasks.filter(({ isKept }) => !isKept));
      } finally {
        // Exports of ranges that failed, or are not fetched any more, may still be waited for.
        this.#abort.abort();
      }
      if (this.#failed.length === 0) await this.#complete(plans, outer);
    } catch (error) {
      // Whatever ended it, the directory's receipt says what is there.
      await this.#writeReceipt(plans, tasks).catch(() => undefined);
      throw error;
    }
    const receipt = await this.#writeReceipt(plans, tasks);
    return {
      complete: receipt.complete,
      out: this.#journal.layout.out,
      receipt,
      failed: this.#failed,
      received: this.#received,
    };
  }

  /** Ranges are downloaded one after the other; the exports of the next ones are made meanwhile. */
  async #runAll(tasks: readonly RangeTask[]): Promise<void> {
    for (const [i, task] of tasks.entries()) {
      for (const next of tasks.slice(i, i + 1 + this.#wanted.concurrency)) next.begin();
      try {
        await task.finish();
      } catch (error) {
        if (!(error instanceof ExportError) || !OF_ONE_RANGE.has(error.code)) throw error;
        const { name } = task.progress;
        const { message, code, hint } = error;
        this.#failed.push({ name, message, code, hint });
        this.#missing.push({ ...task.task.range, name, reason: message });
      }
      this.#received.objects += task.received.objects;
      this.#received.bytes += task.received.bytes;
    }
  }

  async #complete(plans: readonly TypePlan[], signal: AbortSignal): Promise<void> {
    for (const { type } of plans) {
      const settled = await settleEdges(this.#journal, type, this.#zone, signal);
      if (settled > 0)
        this.#warn(
          `${settled} ${type.toLowerCase()} lay at the edge of two ranges and were given with both; each is kept once`,
        );
      if (this.#journal.refresh(type) !== undefined) await this.#journal.setRefresh(type, null);
    }
    await convertRanges(this.#journal, this.#options.tables, signal, ({ path, fraction }) =>
      this.#tell({ event: 'converting', path, fraction }),
    );
  }

  /** What the directory is to hold of the types that this pull is not about. */
  #othersWanted(plans: readonly TypePlan[]): TypePlan[] {
    return EXPORT_TYPES.filter((type) => !plans.some((plan) => plan.type === type)).flatMap(
      (type) => {
        const wanted = this.#journal.wanted(type);
        return wanted ? [planType(this.#journal, type, wanted, this.#journal.refresh(type))] : [];
      },
    );
  }

  async #writeReceipt(plans: readonly TypePlan[], tasks: readonly RangeTask[]): Promise<Receipt> {
    const missing = [...this.#missing];
    for (const { task, progress } of tasks)
      if (
        !this.#journal.get('final', task.range) &&
        !missing.some(({ name }) => name === progress.name)
      )
        missing.push({ ...task.range, name: progress.name, reason: 'not fetched yet' });
    const spans = new Map(plans.map(({ type, span }) => [type, span]));
    for (const { type, span, tasks: others } of this.#othersWanted(plans)) {
      spans.set(type, span);
      for (const { range } of others)
        if (!this.#journal.get('final', range))
          missing.push({ ...range, name: shownRange(range), reason: 'not fetched yet' });
    }
    const receipt = makeReceipt(this.#journal, spans, missing);
    const path = absolute(this.#journal.layout, RECEIPT_FILE);
    await writeWhole(path, `${JSON.stringify(receipt, null, 2)}\n`);
    return receipt;
  }
}

async function firstDamaged(
  layout: Layout,
  files: readonly StoredFile[],
): Promise<string | undefined> {
  for (const { path, bytes } of files) {
    const found = await stat(absolute(layout, path)).catch(() => undefined);
    if (found?.size !== bytes) return path;
  }
  return undefined;
}

/** Lets `limit` pieces of work run at a time; the others wait in their order. */
function limited(limit: number, signal: AbortSignal): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= limit) await new Promise<void>((start) => waiting.push(start));
    else running++;
    try {
      if (signal.aborted) throw interrupted(signal.reason);
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
