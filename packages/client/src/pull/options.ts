/** Checks the options of a pull, and chooses the settings of its directory. */
import { EXPORT_TYPES, type ExportType } from '@tillroll/contract';
import { FORMATS, isTableFormat, listMonthTables, type Format } from '../directory/layout.ts';
import type { DirectorySettings, State } from '../directory/state.ts';
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
import type { PullOptions } from './types.ts';

const DAY_MS = 86_400_000;
const DEFAULT_OVERLAP_MS = 7 * DAY_MS;
const DEFAULT_FILE_MODE = 0o600;
const MAX_CONCURRENCY = 20;

/** Checked options of a pull. */
export interface CheckedOptions {
  concurrency: number;
  downloads: number;
  overlapMs: number;
}

/** Checks the options that need no directory. @throws ExportError USAGE, naming the option, what was given and what is allowed. */
export function checkOptions(options: PullOptions): CheckedOptions {
  const { format, types, overlapMs = DEFAULT_OVERLAP_MS, sinceLast, from, fileMode } = options;
  checkOut(options.out);
  if (format !== undefined && !FORMATS.includes(format))
    throw usageError(`must be one of ${FORMATS.join(', ')}; got ${JSON.stringify(format)}`, {
      option: 'format',
    });
  if (types && (types.length === 0 || types.some((type) => !EXPORT_TYPES.includes(type))))
    throw usageError(
      `must be one or more of ${EXPORT_TYPES.join(', ')}; got ${JSON.stringify(types)}`,
      {
        option: 'types',
      },
    );
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

/** Checks the dates, before a server is asked or anything is written. @throws ExportError USAGE */
export function checkDates({ from, to }: PullOptions, timezone: string): void {
  const zone = new Zone(timezone);
  if (from !== undefined && to !== undefined) parseSpan({ from, to, timezone });
  else if (from !== undefined) parseWhen('from', from, zone);
  else if (to !== undefined) parseWhen('to', to, zone);
}

/** Tells whether a directory holds anything of earlier pulls: until then its settings may change. */
function isBound(state: State): boolean {
  return Object.values(state.types).some(
    ({ months, exports }) => exports.length > 0 || Object.keys(months).length > 0,
  );
}

/** Chooses the types of a pull. */
export function chooseTypes(
  { types, sinceLast }: Pick<PullOptions, 'types' | 'sinceLast'>,
  state: Pick<State, 'types'> | undefined,
): ExportType[] {
  const known = EXPORT_TYPES.filter((type) => state?.types[type]);
  const fallback = sinceLast && known.length > 0 ? known : EXPORT_TYPES;
  return EXPORT_TYPES.filter((type) => (types ?? fallback).includes(type));
}

/** Checks that each type has a chosen column: objects that are in no table need not be fetched. @throws ExportError USAGE */
export function checkTypesHaveColumns(
  options: PullOptions,
  settings: DirectorySettings,
  state: State | undefined,
): void {
  if (!isTableFormat(settings.format) || !settings.columns) return;
  const types = chooseTypes(options, state);
  const without = types.find((type) => listMonthTables(settings, type).length === 0)?.toLowerCase();
  if (without !== undefined)
    throw usageError(`must name a column of ${without}, too; got ${settings.columns.join(',')}`, {
      option: 'columns',
      hint: `Add one, or omit ${without} from the types`,
    });
}

/** Chooses the columns that were asked for, each with its table. @throws ExportError USAGE */
function chooseColumns(
  { columns, tables }: PullOptions,
  format: Format,
): readonly string[] | undefined {
  if (columns === undefined) return undefined;
  if (format !== 'csv' && format !== 'parquet')
    throw usageError(`is for the formats csv and parquet; this one is ${format}`, {
      option: 'columns',
      hint:
        format === 'duckdb'
          ? 'Choose columns in your queries'
          : 'Pull in one of these formats, or omit the option',
    });
  // Without a table maker the pull fails before it writes anything.
  return tables?.resolveColumns(format, columns) ?? columns;
}

/** Formats a setting for a message. */
function describeSetting(value: string | boolean | readonly string[] | null): string {
  return value === null ? 'all' : typeof value === 'object' ? value.join(',') : String(value);
}

/**
 * Chooses the settings of a directory. Its source, format, compression, columns and time zone cannot change.
 * @throws ExportError USAGE when an option differs from them.
 */
export function chooseSettings(
  source: DirectorySettings['source'],
  options: PullOptions,
  state: State | undefined,
  out: string,
): DirectorySettings {
  const known = state && isBound(state) ? state : undefined;
  const zone = new Zone(options.timezone ?? known?.timezone ?? 'UTC');
  const format = options.format ?? known?.format ?? 'jsonl';
  const csvBom = options.csvBom ?? known?.csvBom ?? false;
  if (options.csvBom && format !== 'csv')
    throw usageError(`is for the format csv; this one is ${format}`, { option: 'csvBom' });
  const asked: DirectorySettings = {
    source,
    format,
    gzip: options.gzip ?? known?.gzip ?? false,
    columns: chooseColumns(options, format) ?? known?.columns ?? null,
    csvBom,
    timezone: zone.name,
    fileMode: options.fileMode ?? state?.fileMode ?? DEFAULT_FILE_MODE,
  };
  if (!known) return asked;
  for (const option of ['format', 'gzip', 'columns', 'csvBom', 'timezone'] as const) {
    const [before, now] = [describeSetting(known[option]), describeSetting(asked[option])];
    const isSame = option === 'timezone' ? zone.isSame(new Zone(known.timezone)) : now === before;
    if (!isSame)
      throw usageError(`must stay ${before}, which ${out} was pulled with; got ${now}`, {
        option,
        hint: 'Omit the option, or pull into another directory',
      });
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
