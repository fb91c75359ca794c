/** Makes the Parquet file of a month. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { tablePath, type Conversion, type ConvertedTable } from '@tillroll/client/files';
import { chosenNames } from '../columns.ts';
import { withDatabase } from '../database.ts';
import { writeParquet } from './parquet-file.ts';

/** One file a month. */
export async function toParquet(conversion: Conversion): Promise<ConvertedTable[]> {
  const { months, out, signal, onProgress } = conversion;
  return withDatabase(conversion, async (database) => {
    const made: ConvertedTable[] = [];
    for (const [index, lines] of months.entries()) {
      const table = lines.type.toLowerCase();
      const path = tablePath('parquet', table, lines.month);
      await mkdir(dirname(join(out, path)), { recursive: true });
      const names = chosenNames(conversion.columns, table);
      await writeParquet(database, lines, join(out, path), names, signal, (fraction) =>
        onProgress?.((index + fraction) / months.length),
      );
      made.push({ path, table, rows: lines.objects });
    }
    onProgress?.(1);
    return made;
  });
}
