import { EXPORT_TYPES } from '@tillroll/contract';
import { FORMATS } from '../directory/layout.ts';
import type { DirectoryHead, State } from '../directory/state.ts';
import {
  checkCount,
  checkFileMode,
  checkOut,
  DEFAULT_DOWNLOADS,
  MAX_DOWNLOADS,
} from '../download/check-options.ts';
import { ExportError, usageError } from '../errors.ts';
import { parseSpan, parseWhen } from '../time/span.ts';
import { Zone } from '../time/zone.ts';
import type { PullOptions } from './events.ts';

const DAY_MS = 86_400_000;
const DEFAULT_OVERLAP_MS = 7 * DAY_MS;
const DEFAULT_FILE_MODE = 0o600;
const MAX_CONCURRENCY = 20;

/** How a pull works, checked. */
export interface CheckedOptions {
  concurrency: number;
  downloads: number;
  overlapMs: number;
}

/** @throws ExportError USAGE, naming the option, what was given and what is allowed. */
export function checkOptions(options: PullOptions): CheckedOptions {
  const { format, types, overlapMs = DEFAULT_OVERLAP_MS, sinceLast, from, fileMode } = options;
  checkOut(options.out);
  if (format !== undefined && !FORMATS.includes(format))
    throw usageError(`must be one of ${FORMATS.join(', ')}; got ${JSON.stringify(format)}`, {
      option: 'format',
    });
  if (types && (types.length === 0 || types.some((type) => !EXPORT_TYPES.includes(type))))
    throw usageError(`must be of ${EXPORT_TYPES.join(', ')}; got ${JSON.stringify(types)}`, {
      option: 'types',
    });
  if (!Number.isInteger(overlapMs) || overlapMs < 0)
    throw usageError(`must be a whole number of milliseconds; got ${overlapMs}`, {
      option: 'overlapMs',
    });
  if (fileMode !== undefined) checkFileMode(fileMode);
  if (!sinceLast && from === undefined)
    throw usageError('is missing', { option: 'from', hint: 'Give the start of the span' });
  if (sinceLast && from !== undefined)
    throw usageError('and from exclude each other: the directory knows where to continue', {
      option: 'sinceLast',
    });
  const { concurrency = 1, downloads = DEFAULT_DOWNLOADS } = options;
  checkCount('concurrency', concurrency, MAX_CONCURRENCY);
  checkCount('downloads', downloads, MAX_DOWNLOADS);
  return { concurrency, downloads, overlapMs };
}

/** Called before anything is asked or written. @throws ExportError USAGE */
export function checkDates({ from, to }: PullOptions, timezone: string): void {
  const zone = new Zone(timezone);
  if (from !== undefined && to !== undefined) parseSpan({ from, to, timezone });
  else if (from !== undefined) parseWhen('from', from, zone);
  else if (to !== undefined) parseWhen('to', to, zone);
}

/** Whether anything came of the pulls that were there: until then a directory is bound to nothing. */
function isBound(state: State): boolean {
  return Object.values(state.types).some(
    ({ months, exports }) => exports.length > 0 || Object.keys(months).length > 0,
  );
}

/**
 * What the directory is to be. Source, format, compression and time zone of a directory stay.
 * @throws ExportError USAGE when it was made otherwise.
 */
export function chooseHead(
  source: DirectoryHead['source'],
  options: PullOptions,
  state: State | undefined,
  out: string,
): DirectoryHead {
  const known = state && isBound(state) ? state : undefined;
  const zone = new Zone(options.timezone ?? known?.timezone ?? 'UTC');
  const asked: DirectoryHead = {
    source,
    format: options.format ?? known?.format ?? 'jsonl',
    gzip: options.gzip ?? known?.gzip ?? false,
    timezone: zone.name,
    fileMode: options.fileMode ?? state?.fileMode ?? DEFAULT_FILE_MODE,
  };
  if (!known) return asked;
  for (const option of ['format', 'gzip', 'timezone'] as const) {
    const isSame =
      option === 'timezone'
        ? zone.isSame(new Zone(known.timezone))
        : asked[option] === known[option];
    if (!isSame)
      throw usageError(
        `must stay ${String(known[option])}, which ${out} was pulled with; got ${String(asked[option])}`,
        { option, hint: 'Omit the option, or pull into another directory' },
      );
  }
  const { url, merchant } = known.source;
  if (url !== source.url || merchant !== source.merchant)
    throw new ExportError(
      'USAGE',
      `${out} holds merchant ${merchant} of ${url}, not ${source.merchant} of ${source.url}`,
      { hint: 'Pull into another directory' },
    );
  return { ...asked, timezone: known.timezone };
}
