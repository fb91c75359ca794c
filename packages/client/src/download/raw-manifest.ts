/** Reads and writes the manifest of a directory of raw files. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportType } from '@tillroll/contract';
import { readText } from '../disk/entries.ts';
import { replaceText } from '../disk/write.ts';
import { ExportError, usageError } from '../errors.ts';
import { RAW_FILE_NAME } from './part-files.ts';

const NAME = 'manifest.json';

/** One downloaded file. */
export interface RawFile {
  /** Relative to the directory: `0000.json`. */
  path: string;
  objects: number;
  /** Length on disk. */
  bytes: number;
  /** Hex SHA-256 of the file on disk. */
  sha256: string;
}

/** `manifest.json` beside the files of one export. */
export interface RawManifest {
  export: string;
  type: ExportType;
  /** Epoch ms, half-open. */
  startTime: number;
  endTime: number;
  gzip: boolean;
  /** False while files are missing; `files` is empty then. */
  complete: boolean;
  files: RawFile[];
}

/** Writes the manifest, durably. */
export async function writeRawManifest(
  out: string,
  manifest: RawManifest,
  mode: number,
): Promise<void> {
  await replaceText(join(out, NAME), `${JSON.stringify(manifest, null, 2)}\n`, mode);
}

/**
 * Reads the manifest of a directory.
 * @returns undefined when the directory is empty, dot files and `lost+found` aside.
 * @throws ExportError DIRECTORY when it holds something other than this export's files, USAGE for `gzip`.
 */
export async function readRawManifest(
  out: string,
  exportId: string,
  gzip: boolean,
): Promise<RawManifest | undefined> {
  const names = (await readdir(out)).filter(
    (name) => !name.startsWith('.') && name !== 'lost+found',
  );
  const [other] = names.toSorted();
  if (other === undefined) return undefined;
  const manifest = names.includes(NAME)
    ? parseRawManifest(await readText(join(out, NAME)))
    : undefined;
  const hint = 'Choose a new or an empty directory';
  if (!manifest)
    throw new ExportError('DIRECTORY', `${out} is not empty: it holds ${other}`, { hint });
  if (manifest.export !== exportId)
    throw new ExportError('DIRECTORY', `${out} holds the files of export ${manifest.export}`, {
      hint,
    });
  if (manifest.gzip !== gzip)
    throw usageError(`must be ${manifest.gzip} for ${out}: that is how it was begun`, {
      option: 'gzip',
      hint,
    });
  return manifest;
}

function parseRawManifest(text: string | undefined): RawManifest | undefined {
  let manifest: Partial<RawManifest> | null;
  try {
    manifest = JSON.parse(text ?? 'null') as Partial<RawManifest> | null;
  } catch {
    return undefined;
  }
  const isManifest =
    typeof manifest?.export === 'string' &&
    typeof manifest.gzip === 'boolean' &&
    typeof manifest.complete === 'boolean' &&
    Array.isArray(manifest.files) &&
    manifest.files.every(isRawFile);
  return isManifest ? (manifest as RawManifest) : undefined;
}

function isRawFile(file: Partial<RawFile> | null): boolean {
  return (
    typeof file?.path === 'string' &&
    RAW_FILE_NAME.test(file.path) &&
    Number.isSafeInteger(file.objects) &&
    Number.isSafeInteger(file.bytes) &&
    typeof file.sha256 === 'string'
  );
}
