import { stat } from 'node:fs/promises';
import { ExportError } from '../errors.ts';
import type { ConversionProgress, ConvertedFile, TableMaker } from './conversion.ts';
import { removeFiles } from './disk.ts';
import type { ConvertedRecord, DoneRange, Journal } from './journal.ts';
import { absolute, byTypeAndTime, isConverted, rangeName } from './layout.ts';
import { sha256Of } from './served-store.ts';

/** What the tables of a range depend on. */
function basisOf(done: DoneRange): string {
  return `${done.type} ${rangeName(done)} ${done.files.map(({ sha256 }) => sha256).join(' ')}`;
}

/** Makes the tables of a directory whose ranges are complete, where its format asks for them. */
export async function convertRanges(
  journal: Journal,
  tables: TableMaker | undefined,
  signal: AbortSignal,
  onProgress: (progress: ConversionProgress) => void,
): Promise<void> {
  const { layout } = journal;
  const { format } = layout;
  if (!isConverted(format) || !tables) return;
  const ranges = journal.done('final').toSorted(byTypeAndTime);
  const version = String(tables.version);
  const bases = [version, ...ranges.map(basisOf)];
  const before = journal.converted;
  const basis = bases.join('\n');
  if (before?.basis === basis && (await areThere(journal, before))) return;
  const known = new Set(before?.basis.split('\n'));
  const made = await tables.convert(format, {
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
    incremental: known.has(version),
    signal,
    onProgress,
  });
  const files = await recordsOf(journal, made);
  const paths = new Set(files.map(({ path }) => path));
  const gone = (before?.files ?? []).filter(({ path }) => !paths.has(path));
  await journal.setConverted({ basis, files });
  await removeFiles(gone.map(({ path }) => absolute(layout, path)));
}

async function recordsOf(
  { layout }: Journal,
  made: readonly ConvertedFile[],
): Promise<ConvertedRecord['files']> {
  // Several tables may lie in one file.
  const sums = new Map<string, { bytes: number; sha256: string }>();
  const files: ConvertedRecord['files'] = [];
  for (const { path, table, rows } of made) {
    const at = absolute(layout, path);
    const sum = sums.get(path) ?? {
      bytes: (await stat(at)).size,
      sha256: (await sha256Of(at)) ?? '',
    };
    sums.set(path, sum);
    files.push({ path, table, objects: rows, ...sum, first: null, last: null });
  }
  return files;
}

async function areThere({ layout }: Journal, { files }: ConvertedRecord): Promise<boolean> {
  for (const { path, bytes } of files) {
    const found = await stat(absolute(layout, path)).catch(() => undefined);
    if (found?.size !== bytes) return false;
  }
  return true;
}
