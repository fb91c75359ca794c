/** `@tillroll/formats`: makes CSV, Parquet and DuckDB from a pull's JSON lines. */
import type { Conversion, ConvertedTable, TableFormat, TableMaker } from '@tillroll/client/files';
import { toCsv } from './csv/csv.ts';
import { resolveColumns } from './columns.ts';
import { loadDuckdb } from './database.ts';
import { toExportError } from './export-error.ts';
import { toParquet } from './parquet/parquet.ts';
import { toDuckdb } from './duckdb/duckdb.ts';

const CONVERTERS = { csv: toCsv, parquet: toParquet, duckdb: toDuckdb } as const;

/**
 * Makes tables of JSON lines: files below `conversion.out`.
 * @throws ExportError `MISSING_PACKAGE`, `BAD_FILE`, `DUPLICATE_ID`, `DISK` or `INTERRUPTED`.
 */
export async function convert(
  format: TableFormat,
  conversion: Conversion,
): Promise<ConvertedTable[]> {
  try {
    return await CONVERTERS[format](conversion);
  } catch (error) {
    throw toExportError(error, conversion.signal, format);
  }
}

/** The option `tables` of `pull`. */
export const tables: TableMaker = Object.freeze({
  version: 6,
  scope: (format) => (format === 'duckdb' ? 'directory' : 'month'),
  resolveColumns,
  async require(format) {
    if (format !== 'csv') await loadDuckdb();
  },
  convert,
} satisfies TableMaker);
