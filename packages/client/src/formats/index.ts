import { toCsv } from './csv.ts';
import type { Conversion, ConvertedFile } from './format.ts';
import { toParquet } from './parquet.ts';
import { toDuckdb } from './sales.ts';

export type { Conversion, ConversionProgress, ConvertedFile, LinesFile } from './format.ts';

/**
 * Makes tables of JSON lines: files below `conversion.out`, each written aside and then renamed.
 * @throws ExportError `MISSING_PACKAGE`, `BAD_FILE`, `DUPLICATE_ID`, `DISK` or `INTERRUPTED`.
 */
export async function convert(
  format: 'csv' | 'parquet' | 'duckdb',
  conversion: Conversion,
): Promise<ConvertedFile[]> {
  switch (format) {
    case 'csv':
      return toCsv(conversion);
    case 'parquet':
      return toParquet(conversion);
    case 'duckdb':
      return toDuckdb(conversion);
  }
}
