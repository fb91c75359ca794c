/** `tillroll pull`: the options of a pull, its display, its summary and its exit code. */
import { Option, type Command } from 'commander';
import type { Format, PullOptions, PullResult } from '@tillroll/client/files';
import { addConnectionOptions, type ConnectionFlags } from '../connection/flags.ts';
import type { Context } from '../context.ts';
import { chooseDisplay, type DisplayFlags } from '../display/choose-display.ts';
import { printEvent } from '../display/json.ts';
import { detectTerminal } from '../display/terminal.ts';
import { errorText, isExportError } from '../errors.ts';
import { EXIT, UsageError } from '../exit.ts';
import { MAX_TIMEOUT, parseDuration } from '../parse/durations.ts';
import { parseFileMode, parseNumber } from '../parse/numbers.ts';
import { parseTypes } from '../parse/types.ts';
import { printPreview } from './pull-preview.ts';
import { checkStdoutOptions, pullToStdout, STDOUT } from './pull-stdout.ts';
import { failureLines, summaryLines } from '../summary/summary.ts';

/** The names that the library knows; a test compares the two. */
export const FORMAT_NAMES = ['jsonl', 'csv', 'parquet', 'duckdb'] as const satisfies Format[];

interface PullFlags extends ConnectionFlags, DisplayFlags {
  from?: string;
  to?: string;
  out?: string;
  types?: string;
  format?: Format;
  columns?: string;
  csvBom?: boolean;
  gzip?: boolean;
  fileMode?: string;
  timezone?: string;
  sinceLast?: boolean;
  overlap?: string;
  concurrency: string;
  parallel: string;
  dryRun?: boolean;
  wait: boolean;
  timeout: string;
}

const EXAMPLES = `
Examples:
  $ tillroll pull --from 2024-01-01 --to 2025-01-01 --out sales/
      a year of orders and payments as JSON lines; after a crash, the same command continues
  $ tillroll pull --from 2026-01-01 --out sales/ --format parquet --timezone America/New_York
      from a day in New York until now, as Parquet
  $ tillroll pull --from 2026-01-01 --out sales/ --types orders --format csv --columns id,created_time,total
      three columns of orders for a spreadsheet
  $ tillroll pull --since-last --overlap 14d --out sales/
      what is new, and the last 14 days again for what changed late
  $ tillroll pull --region eu --types payments --from 2026-01-01 --out pay/ --no-wait
      from Clover's service for Europe; exit 75 when it is closed now
  $ tillroll pull --from 2026-01-01 --types payments --out - | jq -r .amount
      one type to standard output, not kept
  $ tillroll pull --since-last --out sales/ --dry-run
      what the next pull would fetch
  $ tillroll pull --from 2026-01-01 --out sales/ --json | jq -c 'select(.event == "result")'
      for programs

Exit: 0 complete, 1 failed, 2 usage, 75 try later, 130 interrupted.
`;

const MAX_OVERLAP = '3650d';

export function addPull(root: Command, context: Context): void {
  const command = root
    .command('pull')
    .description(
      'fetch all orders and payments of any span into a directory: one file a month, checked, resumable',
    )
    .option('--from <when>', 'first day or instant: 2026-01-31 or 2026-01-31T09:00:00Z')
    .option('--to <when>', 'end, exclusive (default: now)')
    .option(
      '--out <dir>',
      'the directory; created when it does not exist. "-": one type as JSON lines to stdout',
    )
    .option('--types <list>', "default: orders,payments; with --since-last, the directory's types")
    .addOption(
      new Option(
        '--format <format>',
        "default: the directory's format; jsonl for a new one",
      ).choices(FORMAT_NAMES),
    )
    .option(
      '--columns <list>',
      'columns of CSV and Parquet, such as orders.id,orders.total (default: all)',
    )
    .option('--csv-bom', 'begin CSV files with a byte order mark, for Excel')
    .option('--gzip', 'compress JSON lines')
    .option('--file-mode <octal>', "permissions (default: the directory's; 600 for a new one)")
    .option(
      '--timezone <name>',
      "zone of days and months (default: the directory's; UTC for a new one)",
    )
    .option('--since-last', 'continue where the directory ends')
    .option('--overlap <duration>', 'with --since-last: fetch this much again (default: 7d)')
    .option('--concurrency <n>', 'exports open at once', '1')
    .option('--parallel <n>', 'files downloaded at once', '4')
    .option('--dry-run', 'print what would be fetched, and do nothing')
    .option('--no-wait', 'exit 75 instead of waiting until the server is open or has room')
    .option('--timeout <duration>', 'how long one export may take', '12h')
    .option('--plain', 'progress as lines, also on a terminal')
    .option('--json', 'events as JSON lines on stdout, no other progress')
    .option('--quiet', 'print errors only');
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((flags: PullFlags) => pull(flags, context));
}

/** Parses what the command adds to the library's options. The library checks the rest. @throws UsageError */
function parseFlags(flags: PullFlags): { options: PullOptions; timeoutMs: number } {
  const { from, to, out, format, csvBom, gzip, timezone, sinceLast, json, quiet, plain } = flags;
  const missing: string[] = [];
  if (from === undefined && !sinceLast)
    missing.push('--from (or --since-last, to continue where the directory ends)');
  if (!out) missing.push('--out, the directory');
  if (!out || missing.length > 0) throw new UsageError(`missing: ${missing.join(', ')}`);
  if (from !== undefined && sinceLast)
    throw new UsageError('--from and --since-last exclude each other. Omit one of them');
  if (flags.overlap !== undefined && !sinceLast)
    throw new UsageError('--overlap needs --since-last');
  if (json && (quiet || plain))
    throw new UsageError(`--json and ${quiet ? '--quiet' : '--plain'} exclude each other`);
  const { types, columns, fileMode, overlap } = flags;
  const options = {
    from,
    to,
    out,
    format,
    columns: columns === undefined ? undefined : columns.split(','),
    csvBom,
    gzip,
    timezone,
    sinceLast,
    types: types === undefined ? undefined : parseTypes(types),
    fileMode: fileMode === undefined ? undefined : parseFileMode('--file-mode', fileMode),
    overlapMs: overlap === undefined ? undefined : parseDuration('--overlap', overlap, MAX_OVERLAP),
    concurrency: parseNumber('--concurrency', flags.concurrency),
    downloads: parseNumber('--parallel', flags.parallel),
  };
  return { options, timeoutMs: parseDuration('--timeout', flags.timeout, MAX_TIMEOUT) };
}

async function pull(flags: PullFlags, context: Context): Promise<void> {
  const { options, timeoutMs } = parseFlags(flags);
  const stdoutType = flags.out === STDOUT ? checkStdoutOptions(options, flags) : undefined;
  const [{ connect }, { tables }] = await Promise.all([
    import('../connection/connect.ts'),
    import('@tillroll/formats'),
  ]);
  const client = await connect(flags, context, { wait: flags.wait, timeoutMs });
  if (stdoutType !== undefined) {
    await pullToStdout(context, client, stdoutType, options, flags);
    return;
  }
  if (flags.dryRun) {
    await printPreview(context, client, { ...options, tables }, flags.json === true);
    return;
  }
  context.whenInterrupted = 'interrupted. Run the same command again to continue';
  const display = await chooseDisplay(context, flags);
  const startedAt = performance.now();
  let result: PullResult;
  try {
    result = await client.pull({
      ...options,
      tables,
      signal: context.signal,
      onProgress: (event) => display.event(event),
    });
  } catch (error) {
    if (flags.json) printEvent(context, failureEvent(error));
    throw error;
  } finally {
    display.stop();
  }
  context.exitCode = chooseExitCode(result);
  printResult(result, flags, context, performance.now() - startedAt);
}

function printResult(
  result: PullResult,
  flags: PullFlags,
  context: Context,
  elapsedMs: number,
): void {
  if (flags.json) {
    const { files: _files, ...receipt } = result.receipt;
    printEvent(context, { event: 'result', exitCode: context.exitCode, ...result, receipt });
    if (!result.complete) context.note(failureLines(result).at(-1) ?? 'not complete');
  } else if (flags.quiet) {
    for (const line of failureLines(result)) context.note(line);
  } else {
    const lines = summaryLines(result, { elapsedMs, terminal: detectTerminal(context) });
    context.stderr.write(`${lines.join('\n')}\n`);
  }
}

/** A pull in which everything that is missing may be there later ends with 75. */
function chooseExitCode({ complete, failed }: PullResult): number {
  if (complete) return EXIT.complete;
  const isLater = failed.length > 0 && failed.every(({ code }) => code === 'UNAVAILABLE');
  return isLater ? EXIT.tryLater : EXIT.failed;
}

function failureEvent(error: unknown): object {
  return isExportError(error)
    ? { event: 'error', code: error.code, message: error.message, hint: error.hint }
    : { event: 'error', message: errorText(error) };
}
