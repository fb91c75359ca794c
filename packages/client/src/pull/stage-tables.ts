/** Makes tables in the staging folder with the table maker. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportType } from '@tillroll/contract';
import type { Directory, Replacement } from '../directory/directory.ts';
import { linesPath, tablePath, type TableFormat } from '../directory/layout.ts';
import { listMonths } from '../directory/make-receipt.ts';
import type { MonthRecord, TableRecord } from '../directory/state.ts';
import type { LinesFile, TableMaker } from '../directory/table-maker.ts';
import { sumFile, type FileSum } from '../disk/entries.ts';
import { ExportError } from '../errors.ts';

/** Tables that were made, and are not committed yet. */
export interface StagedTables {
  tables: TableRecord[];
  /** Each file once. */
  files: Replacement[];
}

/** The result where no table is made. */
export const NO_TABLES: StagedTables = { tables: [], files: [] };

/** The maker of a directory's tables; undefined when its format has none. */
export interface TableContext {
  format: TableFormat;
  maker: TableMaker;
  signal: AbortSignal;
}

/**
 * Makes the tables of `months` in the staging folder.
 * @throws ExportError of the maker; DIRECTORY when it wrote a file that the layout does not have.
 */
async function stageTables(
  directory: Directory,
  { format, maker, signal }: TableContext,
  months: readonly LinesFile[],
  onProgress: (fraction: number) => void,
): Promise<StagedTables> {
  const out = await directory.stageFolder();
  const scratch = await directory.stageFolder();
  try {
    const converted = await maker.convert(format, {
      months,
      timezone: directory.state.timezone,
      columns: directory.state.columns,
      csvBom: directory.state.csvBom,
      out,
      scratch,
      signal,
      onProgress,
    });
    const measured = new Map<string, FileSum>();
    const tables: TableRecord[] = [];
    for (const { table, path, rows } of converted) {
      if (path !== tablePath(format, table, months[0]?.month ?? ''))
        throw new ExportError('DIRECTORY', `a table was written to ${path}, where none belongs`);
      const file = measured.get(path) ?? (await sumFile(join(out, path), signal));
      measured.set(path, file);
      tables.push({ table, rows, ...file });
    }
    const files = [...measured.keys()].map((path) => ({ staged: join(out, path), path }));
    return { tables, files };
  } catch (error) {
    // A half-made file must not fill the disk while other months continue.
    await rm(out, { recursive: true, force: true });
    throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Makes the tables of one month in the staging folder, from its JSON lines. */
export async function stageMonthTables(
  directory: Directory,
  context: TableContext | undefined,
  lines: LinesFile,
  onProgress: (fraction: number) => void = () => undefined,
): Promise<StagedTables> {
  if (!context || context.maker.scope(context.format) !== 'month') return NO_TABLES;
  return stageTables(directory, context, [lines], onProgress);
}

/** Makes the tables of the whole directory in the staging folder. */
export async function stageDirectoryTables(
  directory: Directory,
  context: TableContext,
  onProgress: (fraction: number) => void,
): Promise<StagedTables> {
  const { state } = directory;
  const months = listMonths(state).map((month) => describeLines(directory, ...month));
  return stageTables(directory, context, months, onProgress);
}

/** Describes the published JSON lines of a month for a table maker. */
export function describeLines(
  { out, layout }: Pick<Directory, 'out' | 'layout'>,
  type: ExportType,
  month: string,
  { lines }: Pick<MonthRecord, 'lines'>,
): LinesFile {
  return {
    type,
    month,
    path: join(out, linesPath(layout, type, month)),
    gzip: layout.gzip,
    objects: lines.objects,
    bytes: lines.bytes,
  };
}
