import { toCsv } from './csv.ts';
import { failureOf } from './failure.ts';
import type { Conversion, ConvertedFile } from './format.ts';
import { toParquet } from './parquet.ts';
import { toDuckdb } from './sales.ts';

export type { Conversion, ConversionProgress, ConvertedFile, LinesFile } from './format.ts';

const CONVERTERS = { csv: toCsv, parquet: toParquet, duckdb: toDuckdb };

/**
 * Makes tables of JSON lines: files below `conversion.out`, each written aside and then renamed.
 * @throws ExportError `MISSING_PACKAGE`, `BAD_FILE`, `DUPLICATE_ID`, `DISK` or `INTERRUPTED`.
 */
export async function convert(
  format: keyof typeof CONVERTERS,
  conversion: Conversion,
): Promise<ConvertedFile[]> {
  try {
    return await CONVERTERS[format](conversion);
  } catch (error) {
    throw failureOf(error, conversion.signal, format);
  }
}
