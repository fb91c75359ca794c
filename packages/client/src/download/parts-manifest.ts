/** Reads and writes the list of an export's files beside its parts. */
import { join } from 'node:path';
import { EXPORT_ID, isFileEntry } from '../api/parse-answer.ts';
import { readText } from '../disk/entries.ts';
import { replaceText } from '../disk/write.ts';
import type { FileEntry } from './file-list.ts';
import { PRIVATE_FILE } from './part-files.ts';

const NAME = 'manifest.json';

interface ManifestEntry {
  key: string;
  objects?: number;
  bytes?: number;
  sha256?: string;
}

/** Reads the list of an export's files; undefined when there is none, or it is about another export. */
export async function readPartsManifest(
  folder: string,
  exportId: string,
): Promise<FileEntry[] | undefined> {
  const text = await readText(join(folder, NAME));
  let manifest: { export?: unknown; files?: unknown } | null;
  try {
    manifest = JSON.parse(text ?? 'null') as typeof manifest;
  } catch {
    return undefined;
  }
  const files = manifest?.files;
  if (manifest?.export !== exportId || !EXPORT_ID.test(exportId) || !Array.isArray(files))
    return undefined;
  const entries = files.map((entry: Partial<ManifestEntry> | null): FileEntry => {
    const { key, ...expected } = entry ?? {};
    return { key: key ?? '', expected: isFileEntry(expected) ? expected : undefined };
  });
  const isWhole = entries.every(({ key }) => typeof key === 'string' && key !== '');
  return isWhole ? entries : undefined;
}

/** Writes the list of an export's files, so that a folder with all of its parts needs no server. */
export async function writePartsManifest(
  folder: string,
  exportId: string,
  files: readonly FileEntry[],
): Promise<void> {
  const entries = files.map(({ key, expected }): ManifestEntry => {
    if (!expected) return { key };
    const { objects, bytes, sha256 } = expected;
    return { key, objects, bytes, sha256 };
  });
  const text = `${JSON.stringify({ export: exportId, files: entries })}\n`;
  await replaceText(join(folder, NAME), text, PRIVATE_FILE);
}
