import { stat } from 'node:fs/promises';
import { ExportError } from '../errors.ts';
import type { ConversionProgress, ConvertedFile } from '../formats/format.ts';
import { removeFiles } from './disk.ts';
import type { ConvertedRecord, DoneRange, Journal, StoredFile } from './journal.ts';
import { absolute, byTypeAndTime, isConverted, rangeName } from './layout.ts';
import type { ConvertedFormat } from './pull-types.ts';
import { sha256Of } from './served-store.ts';

/** A later version of the tables makes them anew. */
const TABLES_VERSION = 1;

/** What the tables of a range depend on. */
function basisOf(done: DoneRange): string {
  return `${done.type} ${rangeName(done)} ${done.files.map(({ sha256 }) => sha256).join(' ')}`;
}

/** Fails early where a format needs a package that is not there. @throws ExportError MISSING_PACKAGE */
export async function requirePackage(format: ConvertedFormat): Promise<void> {
  if (format === 'csv') return;
  const { loadDuckdb } = await import('../formats/duckdb.ts');
  await loadDuckdb();
}

/** Makes the tables of a directory whose ranges are complete, where its format asks for them. */
export async function convertRanges(
  journal: Journal,
  signal: AbortSignal,
  onProgress: (progress: ConversionProgress) => void,
): Promise<void> {
  const { layout } = journal;
  const { format } = layout;
  if (!isConverted(format)) return;
  const ranges = journal.done('final').toSorted(byTypeAndTime);
  const bases = [String(TABLES_VERSION), ...ranges.map(basisOf)];
  const before = journal.converted;
  const basis = bases.join('\n');
  if (before?.basis === basis && (await areThere(journal, before))) return;
  const known = new Set(before?.basis.split('\n'));
  const { convert } = await import('../formats/index.ts');
  const made = await convert(format, {
    ranges: ranges.map((done) => {
      const [file] = done.files;
      if (!file) throw new ExportError('DIRECTORY', `the objects of ${basisOf(done)} are missing`);
      return {
        type: done.type,
        name: rangeName(done),
        path: absolute(layout, file.path),
        gzip: layout.gzip,
        objects: file.objects,
        bytes: file.bytes,
        changed: !known.has(basisOf(done)),
      };
    }),
    out: layout.out,
    incremental: known.has(String(TABLES_VERSION)),
    signal,
    onProgress,
  });
  const files: ConvertedRecord['files'] = [];
  for (const file of made) files.push(await recordOf(journal, file));
  const paths = new Set(files.map(({ path }) => path));
  const gone = (before?.files ?? []).filter(({ path }) => !paths.has(path));
  await journal.setConverted({ basis, files });
  await removeFiles(gone.map(({ path }) => absolute(layout, path)));
}

async function recordOf(
  { layout }: Journal,
  { path, table, rows }: ConvertedFile,
): Promise<StoredFile & { table: string }> {
  const at = absolute(layout, path);
  const { size } = await stat(at);
  const sha256 = (await sha256Of(at)) ?? '';
  return { path, table, objects: rows, bytes: size, sha256, first: null, last: null };
}

async function areThere({ layout }: Journal, { files }: ConvertedRecord): Promise<boolean> {
  for (const { path, bytes } of files) {
    const found = await stat(absolute(layout, path)).catch(() => undefined);
    if (found?.size !== bytes) return false;
  }
  return true;
}
