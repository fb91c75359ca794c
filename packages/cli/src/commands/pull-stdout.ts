/** `tillroll pull --out -`: writes the objects of one type to standard output. */
import { once } from 'node:events';
import type { ExportType } from '@tillroll/contract';
import type { ExportClient, Waiting } from '@tillroll/client';
import type { PullOptions } from '@tillroll/client/files';
import type { Context } from '../context.ts';
import { startLiveArea } from '../display/live-area.ts';
import { REPEAT_LINE_MS, SHORTEST_WAIT_MS } from '../display/plain.ts';
import { detectTerminal, fit } from '../display/terminal.ts';
import { waitingText } from '../display/words.ts';
import { oneLine } from '../errors.ts';
import { UsageError } from '../exit.ts';
import { byteSize, counted, instant } from '../format.ts';
import { findFlag } from '../option-names.ts';

/** The value of `--out` for standard output. */
export const STDOUT = '-';

/** Bytes that are gathered before they are written. */
const WRITE_BYTES = 64 * 1024;
/** Options of the library that only a directory has. */
const DIRECTORY_OPTIONS = ['sinceLast', 'columns', 'csvBom', 'gzip', 'fileMode'] as const;

export interface StdoutFlags {
  dryRun?: boolean;
  json?: boolean;
  quiet?: boolean;
  plain?: boolean;
}

/** Refuses options that standard output does not have. @returns the one type to write. @throws UsageError */
export function checkStdoutOptions(options: PullOptions, flags: StdoutFlags): ExportType {
  const { types = [], format } = options;
  const [type, ...more] = types;
  if (type === undefined || more.length > 0)
    throw new UsageError(
      '--out - writes one type to standard output: add --types orders or --types payments',
    );
  if (format !== undefined && format !== 'jsonl')
    throw new UsageError(`--out - writes JSON lines; for ${format} give a directory`);
  const unfit: string[] = DIRECTORY_OPTIONS.filter((option) => options[option] !== undefined).map(
    (option) => findFlag(option) ?? option,
  );
  if (flags.dryRun) unfit.push('--dry-run');
  if (flags.json) unfit.push('--json');
  if (unfit.length > 0)
    throw new UsageError(`${unfit.join(', ')}: not with --out -. Give a directory, or omit it`);
  return type;
}

/**
 * Writes the objects of one type to standard output, one a line, as the server sent them. What was written before
 * a failure stays written: only the exit code tells that all of it is there.
 */
export async function pullToStdout(
  context: Context,
  client: ExportClient,
  type: ExportType,
  { from, to, timezone }: PullOptions,
  flags: StdoutFlags,
): Promise<void> {
  const { signal, stdout } = context;
  const name = type.toLowerCase();
  const progress = startProgress(context, name, flags);
  context.whenInterrupted = 'interrupted: the output is not complete';
  let pieces: Buffer[] = [];
  let length = 0;

  async function write(): Promise<void> {
    const whole = Buffer.concat(pieces, length);
    pieces = [];
    length = 0;
    // The reader decides how fast it goes.
    if (!stdout.write(whole)) await once(stdout, 'drain', { signal });
  }

  try {
    const lines = client.lines({
      type,
      from: from ?? 0,
      to,
      timezone,
      signal,
      onWaiting: (waiting) => progress.waiting(waiting),
      onWarning: (message) => progress.warning(message),
    });
    for await (const { line, createdTime } of lines) {
      pieces.push(line, LINE_FEED);
      length += line.length + 1;
      progress.object(line.length + 1, createdTime);
      if (length >= WRITE_BYTES) await write();
    }
    await write();
  } finally {
    progress.stop();
  }
  if (!flags.quiet) context.note(`complete: ${progress.text()}`);
}

const LINE_FEED = Buffer.from('\n');

interface Progress {
  /** @param bytes of its line. @param createdTime epoch ms. */
  object(bytes: number, createdTime: number): void;
  waiting(waiting: Waiting): void;
  warning(message: string): void;
  /** Counts of what was written. */
  text(): string;
  stop(): void;
}

/** Tells on stderr how far it is: in place on a terminal, now and then in a log. */
function startProgress(context: Context, name: string, flags: StdoutFlags): Progress {
  const found = { objects: 0, bytes: 0, last: Number.NaN };
  let wait: Waiting | undefined;
  let toldAt = Date.now();
  const text = (): string =>
    `${counted(found.objects, name.replace(/s$/, ''))}, ${byteSize(found.bytes)}`;
  const far = (): string =>
    Number.isFinite(found.last) ? `${text()}, up to ${instant(found.last)}` : text();
  const isLive =
    !flags.quiet && !flags.plain && detectTerminal(context).live && !context.stdout.isTTY;
  const area = isLive
    ? startLiveArea(context, ({ width }) => {
        const now = Date.now();
        const waits = wait && wait.until > now ? [fit(oneLine(waitingText(wait, now)), width)] : [];
        return [fit(far(), width), ...waits];
      })
    : undefined;

  function tell(line: string): void {
    toldAt = Date.now();
    if (flags.quiet) return;
    if (area) area.keep(line);
    else context.note(line);
  }

  return {
    object(bytes, createdTime) {
      found.objects++;
      found.bytes += bytes;
      found.last = createdTime;
      if (!area && found.objects % 1000 === 0 && Date.now() - toldAt >= REPEAT_LINE_MS) tell(far());
    },
    waiting(waiting) {
      const now = Date.now();
      wait = waiting;
      if (!area && waiting.until - now >= SHORTEST_WAIT_MS && now - toldAt >= SHORTEST_WAIT_MS)
        tell(waitingText(waiting, now));
    },
    warning: (message) => tell(`warning: ${message}`),
    text,
    stop: () => area?.stop(),
  };
}
