import { DAY_MS, EXPORT_TYPES } from '@tillroll/contract';
import type { ExportClient } from '../client.ts';
import { ExportError, usageError } from '../errors.ts';
import { parseSpan, parseWhen } from '../span.ts';
import { Zone } from '../zone.ts';
import type { DirectoryHead } from './journal.ts';
import { FORMATS, type PullOptions } from './pull-types.ts';

const DEFAULT_OVERLAP_MS = 7 * DAY_MS;
/** The wire contract allows a token five requests at once; one is for polling. */
const DEFAULT_DOWNLOADS = 4;
const MAX_DOWNLOADS = 16;
const MAX_CONCURRENCY = 10;

/** The numbers among them, within their bounds. */
export interface CheckedOptions {
  concurrency: number;
  downloads: number;
  overlapMs: number;
}

function wholeNumber(
  name: string,
  value: number | undefined,
  standard: number,
  max: number,
): number {
  const number = value ?? standard;
  if (!Number.isInteger(number) || number < 1 || number > max)
    throw usageError(`${name} must be a whole number from 1 to ${max}; got ${String(value)}`);
  return number;
}

/** @throws ExportError USAGE, naming the option, what was given and what is allowed. */
export function checkedOptions(options: PullOptions): CheckedOptions {
  const { format, types, overlapMs = DEFAULT_OVERLAP_MS, sinceLast, from } = options;
  if (format !== undefined && !FORMATS.includes(format))
    throw usageError(`format must be one of ${FORMATS.join(', ')}; got ${JSON.stringify(format)}`);
  if (types && (types.length === 0 || types.some((type) => !EXPORT_TYPES.includes(type))))
    throw usageError(`types must be of ${EXPORT_TYPES.join(', ')}; got ${JSON.stringify(types)}`);
  if (!Number.isInteger(overlapMs) || overlapMs < 0)
    throw usageError(`overlapMs must be a whole number of milliseconds; got ${overlapMs}`);
  if (!sinceLast && from === undefined)
    throw usageError('from is missing', 'Say where the span begins');
  if (sinceLast && from !== undefined)
    throw usageError('from and sinceLast exclude each other: the directory says where to go on');
  return {
    concurrency: wholeNumber('concurrency', options.concurrency, 1, MAX_CONCURRENCY),
    downloads: wholeNumber('downloads', options.downloads, DEFAULT_DOWNLOADS, MAX_DOWNLOADS),
    overlapMs,
  };
}

/** Before anything is asked or written. @throws ExportError USAGE */
export function checkDates({ from, to }: PullOptions, timezone: string): void {
  const zone = new Zone(timezone);
  if (from !== undefined && to !== undefined) parseSpan({ from, to, timezone });
  else if (from !== undefined) parseWhen('from', from, zone);
  else if (to !== undefined) parseWhen('to', to, zone);
}

/** What the directory is; what it was made as it stays. @throws ExportError USAGE */
export function headOf(
  client: ExportClient,
  options: PullOptions,
  known: DirectoryHead | undefined,
  out: string,
): DirectoryHead {
  const asked: DirectoryHead = {
    source: client.source,
    format: options.format ?? known?.format ?? 'jsonl',
    gzip: options.gzip ?? known?.gzip ?? false,
    timezone: new Zone(options.timezone ?? known?.timezone ?? 'UTC').name,
  };
  if (!known) return asked;
  for (const member of ['format', 'gzip', 'timezone'] as const) {
    if (asked[member] !== known[member])
      throw new ExportError(
        'USAGE',
        `${out} was pulled with ${member} ${String(known[member])}, not ${String(asked[member])}`,
        {
          hint: 'Leave the option away, or pull into another directory',
        },
      );
  }
  const { url, merchant } = known.source;
  if (url !== asked.source.url || merchant !== asked.source.merchant)
    throw new ExportError(
      'USAGE',
      `${out} holds merchant ${merchant} of ${url}, not ${asked.source.merchant} of ${asked.source.url}`,
      {
        hint: 'Pull into another directory',
      },
    );
  return asked;
}
