/** Writes files and directories durably, with exact permissions. */
import { chmod, mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { constants } from 'node:fs';
import { dirname } from 'node:path';
import { checkFolder } from './entries.ts';
import { findErrno } from './errors.ts';

/** Errors of a system that cannot sync a directory, such as Windows. */
const UNSYNCABLE = new Set(['EISDIR', 'EPERM', 'EINVAL', 'EACCES', 'ENOTSUP']);

/**
 * Makes a directory and those above it. Node's own `recursive` never ends where the system answers
 * ENOENT below a directory that exists, as in /proc.
 * @param mode exact permissions of the last one when it is made here, whatever the umask.
 * @returns false when it was there already.
 */
export async function makeDirectory(path: string, mode?: number): Promise<boolean> {
  try {
    await mkdir(path);
  } catch (error) {
    if (findErrno(error) === 'EEXIST' && (await stat(path)).isDirectory()) return false;
    const above = dirname(path);
    const isAboveMissing =
      findErrno(error) === 'ENOENT' &&
      above !== path &&
      (await stat(above).catch(() => undefined)) === undefined;
    if (!isAboveMissing) throw error;
    await makeDirectory(above);
    return makeDirectory(path, mode);
  }
  if (mode !== undefined) await chmod(path, mode);
  return true;
}

/** Makes a directory for its owner alone, which must not be a link. @throws ExportError DIRECTORY */
export async function makeRealDirectory(path: string): Promise<void> {
  await makeDirectory(path, 0o700);
  await checkFolder(path);
}

/** Chooses the permissions of a directory for files with `fileMode`: users who can read the files can enter it. */
export function chooseFolderMode(fileMode: number): number {
  return 0o700 | fileMode | ((fileMode & 0o444) >> 2);
}

/** Makes a directory's entries durable, where the system can. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    await using directory = await open(path, 'r');
    await directory.sync();
  } catch (error) {
    if (!UNSYNCABLE.has(findErrno(error))) throw error;
  }
}

/** Opens an empty file, replacing any other; the system refuses a symbolic link. @param mode applies whatever the umask is. */
export async function openForWriting(path: string, mode: number): Promise<FileHandle> {
  const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;
  const file = await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
  try {
    await file.chmod(mode);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Writes a file and makes it durable. Unlike a single `write`, it fails when the disk fills half-way. */
export async function writeSynced(path: string, text: string, mode: number): Promise<void> {
  await using file = await openForWriting(path, mode);
  await file.writeFile(text);
  await file.sync();
}

/** Makes a written file durable, with exact permissions. */
export async function syncFile(path: string, mode: number): Promise<void> {
  await using file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  await file.chmod(mode);
  await file.sync();
}

/**
 * Replaces a file durably: what is there is the old text or the new one, whole, also after a kill or a full disk.
 * `write-file-atomic` would take a write that was cut by a full disk for done.
 * @param suffix of the temporary file. @param check is called right before the old file is replaced.
 */
export async function replaceText(
  path: string,
  text: string,
  mode: number,
  { suffix = '.tmp', check }: { suffix?: string; check?: () => Promise<void> } = {},
): Promise<void> {
  const temporary = path + suffix;
  try {
    await writeSynced(temporary, text, mode);
    await check?.();
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Writes pieces one after another. Unlike a single `writev`, it fails when the disk fills half-way. */
export async function writePieces(
  file: FileHandle,
  pieces: Buffer[],
  position: number,
): Promise<void> {
  if (pieces.length === 0) return;
  let { bytesWritten: done } = await file.writev(pieces, position);
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (done === length) return;
  // The disk is nearly full: the next write tells.
  const bytes = Buffer.concat(pieces);
  while (done < length)
    done += (await file.write(bytes, done, length - done, position + done)).bytesWritten;
}
