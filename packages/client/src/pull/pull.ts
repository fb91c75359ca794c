import type { ExportApi } from '../api/export-api.ts';
import { Directory } from '../directory/directory.ts';
import { toDiskError } from '../disk/errors.ts';
import type { TableFormat } from '../directory/layout.ts';
import { usageError } from '../errors.ts';
import { interruptedError } from '../http/retry.ts';
import type { PullOptions, PullResult } from './types.ts';
import { chooseDirectory } from './choose-directory.ts';
import { chooseSettings } from './options.ts';
import { PullRun } from './pull-run.ts';
import type { TableContext } from './stage-tables.ts';

/**
 * Fetches a span into a directory: resumable at any point, checked, with a receipt. Months that fail are
 * listed in the result, and the others are complete. What ends the whole pull (a refused token, a full disk,
 * the signal) is thrown, and the same call continues later.
 * @throws ExportError
 */
export async function pull(api: ExportApi, options: PullOptions): Promise<PullResult> {
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  try {
    return await pullInto(api, options, signal);
  } catch (error) {
    throw options.signal?.aborted ? interruptedError(error) : toDiskError(error);
  } finally {
    // Requests of months that failed may still be under way.
    stop.abort();
  }
}

async function pullInto(
  api: ExportApi,
  options: PullOptions,
  signal: AbortSignal,
): Promise<PullResult> {
  const { checked, out, settings: early } = await chooseDirectory(api, options);
  // Before the directory is made: a missing package leaves none behind, either.
  const tables = await prepareTables(early.format, options, signal);
  await using directory = await Directory.open(out, early, {
    signal,
    onWaiting: (waiting) => options.onProgress?.({ event: 'waiting', ...waiting }),
  });
  // Another process may have changed the directory before the lease was acquired.
  const settings = chooseSettings(api.source, options, directory.state, out);
  await directory.update((draft) => void Object.assign(draft, settings));
  await using run = new PullRun({ api, options, checked, directory, tables, signal });
  const result = await run.run();
  options.onProgress?.({ event: 'done', complete: result.complete });
  return result;
}

/** @throws ExportError USAGE, MISSING_PACKAGE */
async function prepareTables(
  format: 'jsonl' | TableFormat,
  { tables: maker }: PullOptions,
  signal: AbortSignal,
): Promise<TableContext | undefined> {
  if (format === 'jsonl') return undefined;
  if (!maker)
    throw usageError(`is needed for the format ${format}`, {
      option: 'tables',
      hint: "import { tables } from '@tillroll/formats' and pass it",
    });
  await maker.require(format);
  return { format, maker, signal };
}
