/** The state of a directory, `.tillroll/state.json`: its types, checked reading, durable writing. */
import { createHash } from 'node:crypto';
import {
  EXPORT_TYPES,
  type ExportType,
  MERCHANT_ID,
  parseExact,
  stringifyExact,
  type TimeRange,
} from '@tillroll/contract';
import { EXPORT_ID } from '../api/parse-answer.ts';
import type { Tally } from '../assemble/tally.ts';
import { ExportError } from '../errors.ts';
import { Zone } from '../time/zone.ts';
import * as is from './check.ts';
import type { TableOptions } from './table-maker.ts';
import { replaceText } from '../disk/write.ts';
import {
  absolutePath,
  COLUMN,
  FORMATS,
  MONTH,
  OWN,
  parsePath,
  STATE,
  TABLE,
  type Format,
} from './layout.ts';
import { checkFolder, checkOwner, findEntry, readText } from '../disk/entries.ts';

const VERSION = 4;
/** The state of the version before, which was never published. */
const OLD_STATE = `${OWN}/state.jsonl`;
/** Permissions of the pull's own files. */
export const OWN_FILE_MODE = 0o600;

/** The settings that a directory keeps. */
export interface DirectorySettings extends TableOptions {
  source: { url: string; merchant: string };
  format: Format;
  gzip: boolean;
  /** IANA name: the zone of the months. */
  timezone: string;
  /** Permissions of the files of data, such as `0o600`. */
  fileMode: number;
}

/** A month's JSON lines. */
export interface FileRecord {
  objects: number;
  /** Length and hex SHA-256 of the file as it is on disk. */
  bytes: number;
  sha256: string;
  /** Epoch ms of the lowest and the highest `createdTime`; null without objects. */
  first: number | null;
  last: number | null;
}

/** A table that was made. */
export interface TableRecord {
  table: string;
  rows: number;
  /** Length and hex SHA-256 of the file that the table is in. */
  bytes: number;
  sha256: string;
}

/** A month of one type: its files, and what is in them. */
export interface MonthRecord {
  /** Ranges that the file covers: epoch ms, half-open, ascending. */
  covers: TimeRange[];
  /** The exports that its objects came from. */
  exports: string[];
  lines: FileRecord;
  tables: TableRecord[];
  tally: Tally;
}

/** An export that was asked for and whose files are not in a month yet. Epoch ms, half-open. */
export interface OpenExport {
  startTime: number;
  endTime: number;
  id: string;
}

/** The state of one type. */
export interface TypeState {
  /** The span that the directory is to cover. */
  wanted: TimeRange;
  /** Everything from this time on is to be fetched again, epoch ms; null: nothing. */
  refreshFrom: number | null;
  /** By name, `2026-01`. */
  months: Record<string, MonthRecord>;
  exports: OpenExport[];
}

/** The document `.tillroll/state.json`. */
export interface State extends DirectorySettings {
  version: typeof VERSION;
  types: Partial<Record<ExportType, TypeState>>;
  /** The version of the tables' shape; null when there are none. */
  tablesVersion: number | null;
  /** The one file of a `duckdb` directory. `basis`: see `describeBasis`. */
  database: { basis: string; tables: TableRecord[] } | null;
  /** The published files that pulls made: no other file is ever replaced or removed. */
  made: string[];
  /** Files that are being replaced, in this order. `staged`: relative to the staging folder. */
  pending: { staged: string; path: string }[];
  /** Files of months that are no longer in the state: removed before the first one is replaced. */
  obsolete: string[];
}

/** A gap or a missing file. Epoch ms, half-open; null for a file of the whole directory. */
export interface Missing {
  /** `orders/2026-01`, `line_items/2026-01`, `sales.duckdb`. */
  name: string;
  type: ExportType | null;
  startTime: number | null;
  endTime: number | null;
  reason: string;
}

/** Makes the state of a new directory. */
export function emptyState(settings: DirectorySettings): State {
  return {
    version: VERSION,
    ...settings,
    types: {},
    tablesVersion: null,
    database: null,
    made: [],
    pending: [],
    obsolete: [],
  };
}

/** Makes a text that changes when the file of the whole directory must be made again. */
export function describeBasis({ types }: Pick<State, 'types'>): string {
  const hash = createHash('sha256');
  for (const type of EXPORT_TYPES)
    for (const month of Object.keys(types[type]?.months ?? {}).toSorted())
      hash.update(`${type} ${month} ${types[type]?.months[month]?.lines.sha256}\n`);
  return hash.digest('hex');
}

const isType = is.oneOf(...EXPORT_TYPES);
const isExportId = is.matches(EXPORT_ID);
const FILE = { bytes: is.isCount, sha256: is.isSha256 };
const isTable = is.shape({ ...FILE, table: is.matches(TABLE), rows: is.isCount });
const TIMES = { first: is.optional(is.isTime), last: is.optional(is.isTime) };
const isLabel = is.optional(is.isText);
const AMOUNTS = { objects: is.isCount, amount: is.isAmount, refundAmount: is.isAmount };
const isTally = is.shape({
  ...TIMES,
  objects: is.isCount,
  outside: is.isCount,
  sums: is.list(
    is.shape({
      ...AMOUNTS,
      currency: isLabel,
      result: isLabel,
      tipAmount: is.isAmount,
      taxAmount: is.isAmount,
      refunds: is.isCount,
      uncounted: is.isCount,
    }),
  ),
  months: is.list(is.shape({ ...AMOUNTS, month: is.matches(MONTH), currency: isLabel })),
});
const isMonth = is.shape({
  covers: is.list(is.isRange),
  exports: is.list(isExportId),
  lines: is.shape({ ...FILE, ...TIMES, objects: is.isCount }),
  tables: is.list(isTable),
  tally: isTally,
});
const isTypeState = is.shape({
  wanted: is.isRange,
  refreshFrom: is.optional(is.isTime),
  months: is.record((name) => MONTH.test(name), isMonth),
  exports: is.list((value) => is.isRange(value) && is.shape({ id: isExportId })(value)),
});
const isSettings = is.shape({
  source: is.shape({ url: is.isText, merchant: is.matches(MERCHANT_ID) }),
  format: is.oneOf(...FORMATS),
  gzip: is.isBoolean,
  timezone: is.isText,
  columns: is.optional(is.list(is.matches(COLUMN))),
  csvBom: is.isBoolean,
  fileMode: (mode) => is.isCount(mode) && (mode as number) <= 0o777,
});
const isStateShape = is.shape({
  types: is.record((name) => isType(name), isTypeState),
  tablesVersion: is.optional(is.isCount),
  database: is.optional(is.shape({ basis: is.isText, tables: is.list(isTable) })),
  made: is.list(is.isText),
  pending: is.list(is.shape({ staged: isStagedName, path: is.isText })),
  obsolete: is.list(is.isText),
});

/** Tells whether a text is the name of a file in the staging folder, at any depth, that cannot lead out of it. */
export function isStagedName(value: unknown): value is string {
  return is.matches(/^(?!.*\.\.)\w[\w.-]*(?:\/\w[\w.-]*)+$/)(value);
}

function isZone(name: string): boolean {
  try {
    return new Zone(name).name !== '';
  } catch {
    return false;
  }
}

function isState(value: unknown): value is State {
  if (!isSettings(value) || !isStateShape(value)) return false;
  const state = value as State;
  const paths = [...state.made, ...state.obsolete, ...state.pending.map(({ path }) => path)];
  return isZone(state.timezone) && paths.every((path) => parsePath(state, path) !== undefined);
}

function otherVersionError(out: string): ExportError {
  return new ExportError('DIRECTORY', `${out} was written by another version of Tillroll`, {
    hint: 'Pull into a new directory',
  });
}

/**
 * Reads the state of a directory, and checks every member: a forged one must not lead a pull outside.
 * @param isOwn true to refuse a state that others own or may write; false for a caller that only reads.
 * @returns undefined when no pull was there. @throws ExportError DIRECTORY
 */
export async function readState(out: string, isOwn: boolean): Promise<State | undefined> {
  const own = absolutePath({ out }, OWN);
  if (!(await checkFolder(out)) || !(await checkFolder(own))) return undefined;
  const path = absolutePath({ out }, STATE);
  const text = await readText(path, isOwn);
  if (text === undefined) {
    if (await findEntry(absolutePath({ out }, OLD_STATE))) throw otherVersionError(out);
    return undefined;
  }
  if (isOwn) await checkOwnFolder(own);
  let value: unknown;
  try {
    value = parseExact(text);
  } catch {
    // Reported below.
  }
  if (isState(value) && value.version === VERSION) return value;
  const { version } = (value ?? {}) as { version?: unknown };
  if (Number.isInteger(version) && version !== VERSION) throw otherVersionError(out);
  throw new ExportError('DIRECTORY', `${path} is damaged: a pull did not write it like this`, {
    hint: 'Pull into a new directory',
  });
}

/** Checks the pull's own folder. @throws ExportError DIRECTORY when others own it or may write it. */
export async function checkOwnFolder(path: string): Promise<void> {
  const entry = await findEntry(path);
  if (entry) checkOwner(path, entry);
}

/**
 * Replaces the state, durably.
 * @param token names the temporary file: a process that lost its lease must not write into another one's.
 * @param check called right before the old state is replaced.
 */
export async function writeState(
  out: string,
  state: State,
  token: string,
  check: () => Promise<void>,
): Promise<void> {
  const text = `${stringifyExact(state)}\n`;
  const options = { suffix: `.${token}`, check };
  await replaceText(absolutePath({ out }, STATE), text, OWN_FILE_MODE, options);
}
