/** Prepares a directory for a pull, and refuses one that holds other things. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ExportError } from '../errors.ts';
import { chooseFolderMode, makeDirectory } from '../disk/write.ts';
import {
  absolutePath,
  CHECKSUMS_FILE,
  DATA_FOLDERS,
  DATABASE_FILE,
  OWN,
  RECEIPT_FILE,
} from './layout.ts';
import { checkFile, checkFolder, refuseLinks } from '../disk/entries.ts';
import { checkOwnFolder, readState } from './state.ts';

/** Permissions of the pull's own folders. */
export const OWN_FOLDER_MODE = 0o700;
/** Names that systems put into the root of a volume. */
const VOLUME_NAMES = new Set(['lost+found', 'System Volume Information', '$RECYCLE.BIN']);

/**
 * Prepares a directory for a pull: it is made where it is missing, has the pull's own folder, holds nothing
 * that no pull made, and nothing in it leads outside.
 * @param out absolute. @throws ExportError DIRECTORY
 */
export async function prepareDirectory(out: string, fileMode: number): Promise<void> {
  if (!(await checkFolder(out))) await makeDirectory(out, chooseFolderMode(fileMode));
  if (!(await readState(out, true))) await checkUnused(out);
  const own = absolutePath({ out }, OWN);
  await makeDirectory(own, OWN_FOLDER_MODE);
  await checkOwnFolder(own);
  await refuseLinks(own);
  for (const folder of DATA_FOLDERS) await checkFolder(join(out, folder));
  for (const file of [RECEIPT_FILE, CHECKSUMS_FILE, DATABASE_FILE])
    await checkFile(join(out, file));
}

async function checkUnused(out: string): Promise<void> {
  const others = (await readdir(out)).filter(
    (name) => !name.startsWith('.') && !VOLUME_NAMES.has(name),
  );
  // Another process may have begun a pull here meanwhile.
  if (others.length === 0 || (await readState(out, true))) return;
  throw new ExportError(
    'DIRECTORY',
    `${out} holds other things: ${others.slice(0, 3).join(', ')}`,
    {
      hint: 'Choose a new or an empty directory',
    },
  );
}
