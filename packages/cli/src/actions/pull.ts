import {
  pull as pullFiles,
  type Format,
  type PullEvent,
  type PullResult,
} from '@tillroll/client/files';
import { tables } from '@tillroll/formats';
import type { PullFlags } from '../commands/pull.ts';
import { parseTypes } from '../commands/lists.ts';
import { parseNumber } from '../commands/numbers.ts';
import { connect } from '../connection/connect.ts';
import type { Context } from '../context.ts';
import { chooseDisplay } from '../display/choose.ts';
import { terminalOf } from '../display/terminal.ts';
import { parseDuration } from '../durations.ts';
import { errorText, isExportError } from '../errors.ts';
import { EXIT, UsageError } from '../exit.ts';
import { failureLines, summaryLines } from '../summary/summary.ts';

/** Timers hold no more than 24.8 days. */
const LONGEST_TIMEOUT = '24d';
/** The formats in which tables are made of the ranges. */
const TABLES: ReadonlySet<string> = new Set(['csv', 'parquet', 'duckdb'] satisfies Format[]);
const LONGEST_OVERLAP = '3650d';

/** What of the options is ours to read; the library reads dates and zones. @throws UsageError */
function checked(flags: PullFlags) {
  const { out, json, quiet, plain, sinceLast, overlap } = flags;
  const missing: string[] = [];
  if (flags.from === undefined && !sinceLast)
    missing.push('--from (or --since-last, to go on where the directory ends)');
  if (!out) missing.push('--out, the directory');
  if (!out || missing.length > 0) throw new UsageError(`missing: ${missing.join(', ')}`);
  if (overlap !== undefined && !sinceLast)
    throw new UsageError('--overlap goes with --since-last alone');
  if (json && (quiet || plain))
    throw new UsageError(`--json and ${quiet ? '--quiet' : '--plain'} exclude each other`);
  return {
    out,
    types: flags.types === undefined ? undefined : parseTypes(flags.types),
    overlapMs:
      overlap === undefined ? undefined : parseDuration('--overlap', overlap, LONGEST_OVERLAP),
    concurrency: parseNumber('--concurrency', flags.concurrency, 1, 10),
    downloads: parseNumber('--parallel', flags.parallel, 1, 16),
    timeoutMs: parseDuration('--timeout', flags.timeout, LONGEST_TIMEOUT),
  };
}

/** `tillroll pull` */
export async function pull(flags: PullFlags, context: Context): Promise<void> {
  const { timeoutMs, ...options } = checked(flags);
  const client = await connect(flags, context, { wait: flags.wait, timeoutMs });
  context.whenInterrupted = 'interrupted; the same command goes on where it stopped';
  const converts = TABLES.has(flags.format ?? '');
  const display = await chooseDisplay(context, flags, converts);
  const startedAt = performance.now();
  let result: PullResult;
  try {
    result = await pullFiles(client, {
      ...options,
      from: flags.from,
      to: flags.to,
      timezone: flags.timezone,
      format: flags.format,
      gzip: flags.gzip,
      tables,
      sinceLast: flags.sinceLast,
      signal: context.signal,
      onProgress: (event) => {
        if (!isEcho(event, flags, context)) display.event(event);
      },
    });
  } catch (error) {
    if (flags.json) jsonLine(context, failure(error));
    throw error;
  } finally {
    display.stop();
  }
  context.exitCode = exitCodeOfResult(result);
  conclude(result, flags, context, performance.now() - startedAt);
}

/** Ctrl-C fails the ranges under way; that is no news for whoever pressed it. */
function isEcho(event: PullEvent, { json }: PullFlags, { signal }: Context): boolean {
  return !json && signal.aborted && event.event === 'range' && event.range.stage === 'failed';
}

/** Says how it ended, in the way that was asked for. */
function conclude(result: PullResult, flags: PullFlags, context: Context, elapsedMs: number): void {
  if (flags.json) {
    const { ranges: _ranges, ...receipt } = result.receipt;
    jsonLine(context, { event: 'result', exitCode: context.exitCode, ...result, receipt });
    if (!result.complete) context.note(failureLines(result).at(-1) ?? 'not complete');
  } else if (flags.quiet) {
    for (const line of failureLines(result)) context.note(line);
  } else {
    const lines = summaryLines(result, { elapsedMs, terminal: terminalOf(context) });
    context.stderr.write(`${lines.join('\n')}\n`);
  }
}

/** Where all that is missing would be there later, it is worth coming again. */
function exitCodeOfResult({ complete, failed }: PullResult): number {
  if (complete) return EXIT.complete;
  const isLater = failed.length > 0 && failed.every(({ code }) => code === 'UNAVAILABLE');
  return isLater ? EXIT.tryLater : EXIT.failed;
}

function failure(error: unknown): object {
  return isExportError(error)
    ? { event: 'error', code: error.code, message: error.message, hint: error.hint }
    : { event: 'error', message: errorText(error) };
}

function jsonLine({ stdout }: Context, line: object): void {
  stdout.write(`${JSON.stringify({ at: Date.now(), ...line })}\n`);
}
