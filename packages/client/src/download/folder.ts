import { lstat, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ExportError } from '../errors.ts';

/** Folders of pulled data are for their owner alone. */
export const PRIVATE_FOLDER = 0o700;

/**
 * Makes a folder and those above it. Node's own `recursive` never ends where the system answers ENOENT
 * below a folder that exists, as in /proc.
 */
export async function makeFolder(path: string, mode = PRIVATE_FOLDER): Promise<void> {
  try {
    await mkdir(path, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    const parent = dirname(path);
    const isParentMissing =
      code === 'ENOENT' &&
      parent !== path &&
      (await stat(parent).catch(() => undefined)) === undefined;
    if (!isParentMissing) throw error;
    await makeFolder(parent, mode);
    await makeFolder(path, mode);
  }
}

/** Makes a folder that must not be a link. @throws ExportError DIRECTORY */
export async function makeRealFolder(path: string): Promise<void> {
  await makeFolder(path);
  if (!(await lstat(path)).isDirectory())
    throw new ExportError('DIRECTORY', `${path} is not a folder, but a link to one`, {
      hint: 'Find out who put it there, then remove it',
    });
}
