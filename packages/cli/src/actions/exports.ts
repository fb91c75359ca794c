import { parseSpan } from '@tillroll/client';
import { downloadExport } from '@tillroll/client/files';
import type { CreateFlags, DownloadFlags, ListFlags, WaitFlags } from '../commands/exports.ts';
import { parseType } from '../commands/lists.ts';
import { parseNumber } from '../commands/numbers.ts';
import { connect } from '../connection/connect.ts';
import type { ConnectionFlags } from '../connection/flags.ts';
import type { Context } from '../context.ts';
import { createMeter } from '../display/meter.ts';
import { waitingText } from '../display/words.ts';
import { parseDuration } from '../durations.ts';
import { byteSize, counted } from '../numbers.ts';
import { printJson } from './print.ts';

const LONGEST_TIMEOUT = '24d';
const MAX_OFFSET = 999_999_999;

/** `tillroll exports create` */
export async function create(flags: CreateFlags, context: Context): Promise<void> {
  const type = parseType(flags.type);
  const { from, to, timezone, wait: waits } = flags;
  const span = parseSpan({ from, to, timezone });
  const client = await connect(flags, context, {
    wait: waits,
    onWaiting: (waiting) => context.note(waitingText(waiting, Date.now())),
  });
  printJson(context, await client.create({ type, ...span }, { signal: context.signal }));
}

/** `tillroll exports show` */
export async function show(id: string, flags: ConnectionFlags, context: Context): Promise<void> {
  const client = await connect(flags, context);
  printJson(context, await client.show(id, { signal: context.signal }));
}

/** `tillroll exports wait` */
export async function wait(id: string, flags: WaitFlags, context: Context): Promise<void> {
  const timeoutMs = parseDuration('--timeout', flags.timeout, LONGEST_TIMEOUT);
  const meter = await createMeter(context, flags);
  try {
    const client = await connect(flags, context, {
      onWaiting: (waiting) => meter.waiting(waitingText(waiting, Date.now())),
    });
    const exported = await client.wait(id, {
      signal: context.signal,
      timeoutMs,
      onProgress: ({ status, percentComplete }) => meter.update(percentComplete / 100, status),
    });
    meter.stop();
    printJson(context, exported);
  } finally {
    meter.stop();
  }
}

/** `tillroll exports download` */
export async function download(id: string, flags: DownloadFlags, context: Context): Promise<void> {
  const downloads = parseNumber('--parallel', flags.parallel, 1, 16);
  const meter = await createMeter(context, flags);
  try {
    const client = await connect(flags, context, {
      onWaiting: (waiting) => meter.waiting(waitingText(waiting, Date.now())),
    });
    const result = await downloadExport(client, id, {
      out: flags.out,
      gzip: flags.gzip,
      downloads,
      signal: context.signal,
      onProgress: ({ files, filesTotal, objects, bytes }) =>
        meter.update(
          filesTotal === 0 ? 1 : files / filesTotal,
          'downloading',
          `${files} of ${counted(filesTotal, 'file')}, ${counted(objects, 'object')}, ${byteSize(bytes)}`,
        ),
    });
    meter.stop();
    if (flags.json) printJson(context, result);
    else if (!flags.quiet) {
      const bytes = result.files.reduce((sum, file) => sum + file.bytes, 0);
      context.note(
        `${flags.out}: ${counted(result.files.length, 'file')}, ${counted(result.objects, 'object')}, ${byteSize(bytes)}`,
      );
    }
  } finally {
    meter.stop();
  }
}

/** `tillroll exports list` */
export async function list(flags: ListFlags, context: Context): Promise<void> {
  const limit =
    flags.limit === undefined ? undefined : parseNumber('--limit', flags.limit, 1, 1000);
  const offset =
    flags.offset === undefined ? undefined : parseNumber('--offset', flags.offset, 0, MAX_OFFSET);
  const client = await connect(flags, context);
  printJson(context, await client.list({ limit, offset, signal: context.signal }));
}
