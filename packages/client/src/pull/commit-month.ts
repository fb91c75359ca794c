/** Commits a month to the directory, and keeps each id once in it. */
import { join } from 'node:path';
import type { ExportType } from '@tillroll/contract';
import type { LimitFunction } from 'p-limit';
import type { Assembler, AssemblySession } from '../assemble/assembler.ts';
import type { AssembledFile, IndexedLines } from '../assemble/job.ts';
import type { Directory, Replacement } from '../directory/directory.ts';
import { idsPath, linesPath } from '../directory/layout.ts';
import type { MonthRecord, State } from '../directory/state.ts';
import type { Zone } from '../time/zone.ts';
import { listReasons, type FailedMonth } from './types.ts';
import type { MonthPlan } from './plan-type.ts';
import {
  describeLines,
  stageMonthTables,
  type StagedTables,
  type TableContext,
} from './stage-tables.ts';

/** The context in which months' files are made and committed. */
export interface AssemblyContext {
  directory: Directory;
  assembler: Assembler;
  zone: Zone;
  tables: TableContext | undefined;
  /** One month is committed after another: each is compared with all that are there. */
  commitTurn: LimitFunction;
  /** Months that failed so far. */
  failed: FailedMonth[];
}

/** Absolute paths of a month's files until they are committed. */
export interface StagedPaths {
  lines: string;
  ids: string;
}

/** A month's file that was made, and is not committed yet. */
export interface StagedMonth {
  paths: StagedPaths;
  file: AssembledFile;
}

/** A month that is about to be replaced, with its tables. */
interface ReadyMonth extends StagedMonth {
  month: string;
  covers: MonthRecord['covers'];
  exports: string[];
  tables: StagedTables;
}

/** Stages a folder for a month's files. */
async function stagePaths(directory: Directory): Promise<StagedPaths> {
  const folder = await directory.stageFolder();
  return { lines: join(folder, 'lines'), ids: join(folder, 'ids') };
}

/** A month's published lines, as the beginning of a new file. */
interface Existing {
  path: string;
  record: Pick<MonthRecord, 'lines'>;
}

/** Begins to assemble a month's file. @param existing the file whose objects come first. */
export async function startAssembly(
  { directory, assembler, zone }: AssemblyContext,
  {
    type,
    covers,
    dropsAt = null,
    exclude = [],
  }: {
    type: ExportType;
    covers: MonthRecord['covers'];
    dropsAt?: number | null;
    exclude?: readonly string[];
  },
  existing: Existing | undefined,
): Promise<{ session: AssemblySession; paths: StagedPaths }> {
  const paths = await stagePaths(directory);
  const { gzip } = directory.layout;
  const session = await assembler.begin({
    type,
    timezone: zone.name,
    gzip,
    mode: directory.state.fileMode,
    output: paths.lines,
    ids: paths.ids,
    covers,
    dropsAt,
    existing: existing && { path: existing.path, gzip, sha256: existing.record.lines.sha256 },
    exclude,
  });
  return { session, paths };
}

/** Finds the published file of a month. */
export function findExisting(
  { out, layout }: Directory,
  type: ExportType,
  month: string,
  record: MonthRecord,
): Existing {
  return { path: join(out, linesPath(layout, type, month)), record };
}

/** Makes a file again without some of its objects. */
async function assembleWithout(
  context: AssemblyContext,
  type: ExportType,
  covers: MonthRecord['covers'],
  existing: Existing,
  exclude: readonly string[],
): Promise<StagedMonth> {
  const { session, paths } = await startAssembly(context, { type, covers, exclude }, existing);
  try {
    return { paths, file: await session.finish() };
  } catch (error) {
    await session.abort();
    throw error;
  }
}

/**
 * Keeps each id once in the directory: of two objects with one id, the one with the newer
 * `modifiedTime` stays, and the one of the later export when they are equal.
 * @returns the months that lose an object, then the month itself.
 */
async function resolveShared(
  context: AssemblyContext,
  plan: MonthPlan,
  staged: StagedMonth,
): Promise<{
  losers: { month: string; record: MonthRecord; staged: StagedMonth }[];
  staged: StagedMonth;
}> {
  const { directory, assembler } = context;
  const { layout, out, state } = directory;
  const { gzip } = layout;
  const { type } = plan;
  const losers: { month: string; record: MonthRecord; staged: StagedMonth }[] = [];
  const outdated: string[] = [];
  const own: IndexedLines = { lines: staged.paths.lines, ids: staged.paths.ids, gzip };
  for (const [month, record] of Object.entries(state.types[type]?.months ?? {})) {
    if (month === plan.month) continue;
    const existing = findExisting(directory, type, month, record);
    const other = { lines: existing.path, ids: join(out, idsPath(layout, type, month)), gzip };
    const shared = await assembler.findShared(own, other);
    const lost = shared.filter(({ modifiedA, modifiedB }) => modifiedA >= modifiedB);
    outdated.push(...shared.filter((both) => !lost.includes(both)).map(({ id }) => id));
    if (lost.length === 0) continue;
    const ids = lost.map(({ id }) => id);
    const remade = await assembleWithout(context, type, record.covers, existing, ids);
    losers.push({ month, record, staged: remade });
  }
  if (outdated.length === 0) return { losers, staged };
  const { lines, ids: _ids } = staged.paths;
  const existing: Existing = { path: lines, record: { lines: staged.file } };
  const remade = await assembleWithout(context, type, plan.covers, existing, outdated);
  return { losers, staged: remade };
}

/**
 * Commits a month's file with its id index and tables, together with those months that lose an object
 * to it; these are replaced first, so that a reader never finds an object twice.
 */
export async function commitMonth(
  context: AssemblyContext,
  ...month: CommitArguments
): Promise<AssembledFile> {
  return context.commitTurn(() => commitInTurn(context, ...month));
}

type CommitArguments = [
  plan: MonthPlan,
  staged: StagedMonth,
  exports: readonly string[],
  onConverting: (fraction: number) => void,
];

async function commitInTurn(
  context: AssemblyContext,
  ...[plan, staged, exports, onConverting]: CommitArguments
): Promise<AssembledFile> {
  const { directory, tables, failed } = context;
  const { type } = plan;
  const resolved = await resolveShared(context, plan, staged);
  const own = {
    month: plan.month,
    record: { covers: plan.covers, exports: [...(plan.existing?.exports ?? []), ...exports] },
    staged: resolved.staged,
  };
  const ready: ReadyMonth[] = [];
  for (const { month, record, staged: made } of [...resolved.losers, own]) {
    const { bytes, objects } = made.file;
    const lines = {
      type,
      month,
      path: made.paths.lines,
      gzip: directory.layout.gzip,
      objects,
      bytes,
    };
    const converted = await stageMonthTables(directory, tables, lines, onConverting);
    const { covers } = record;
    ready.push({
      ...made,
      month,
      covers,
      exports: [...new Set(record.exports)],
      tables: converted,
    });
  }
  const change = (draft: State): void => {
    const known = draft.types[type];
    if (!known) return;
    for (const { month, covers, exports: from, file, tables: made } of ready) {
      const { tally, ...lines } = file;
      known.months[month] = { covers, exports: from, lines, tables: made.tables, tally };
    }
    known.exports = known.exports.filter(({ id }) => !exports.includes(id));
  };
  await directory.commit(
    change,
    ready.flatMap((month) => listReplacements(directory, type, month)),
    listReasons(failed),
  );
  return resolved.staged.file;
}

function listReplacements(
  { layout }: Directory,
  type: ExportType,
  { month, paths, tables }: ReadyMonth,
): Replacement[] {
  return [
    ...tables.files,
    { staged: paths.lines, path: linesPath(layout, type, month) },
    { staged: paths.ids, path: idsPath(layout, type, month) },
  ];
}

/** Makes the id index of a month again, from its lines. */
export async function commitIndex(
  context: AssemblyContext,
  type: ExportType,
  month: string,
): Promise<void> {
  const { directory, failed } = context;
  const record = directory.state.types[type]?.months[month];
  if (!record) return;
  const existing = findExisting(directory, type, month, record);
  const { paths } = await assembleWithout(context, type, record.covers, existing, []);
  const index = { staged: paths.ids, path: idsPath(directory.layout, type, month) };
  await directory.commit(() => undefined, [index], listReasons(failed));
}

/** Makes the tables of a month again, from its lines. @throws ExportError of the table maker */
export async function commitTables(
  context: AssemblyContext,
  type: ExportType,
  month: string,
): Promise<void> {
  const { directory, tables, failed } = context;
  const record = directory.state.types[type]?.months[month];
  if (!record) return;
  const lines = describeLines(directory, type, month, record);
  const made = await stageMonthTables(directory, tables, lines);
  await directory.commit(
    (draft) => {
      const known = draft.types[type]?.months[month];
      if (known) known.tables = made.tables;
    },
    made.files,
    listReasons(failed),
  );
}
