/** Finds, checks and reads files without following symbolic links. */
import { constants } from 'node:fs';
import { createHash } from 'node:crypto';
import { lstat, open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stats } from 'node:fs';
import { ExportError } from '../errors.ts';
import { findErrno } from './errors.ts';

/** State and receipt of ten years have less than a megabyte. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024;

/** Finds an entry itself, never what a symbolic link leads to; undefined when there is none. */
export async function findEntry(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(findErrno(error))) return undefined;
    throw error;
  }
}

function describeEntry(entry: Stats): string {
  if (entry.isSymbolicLink()) return 'a symbolic link';
  if (entry.isDirectory()) return 'a directory';
  return entry.isFile() ? 'a file' : 'a special file';
}

/** Checks for a directory. @returns false when nothing is there. @throws ExportError DIRECTORY for a link or anything else. */
export async function checkFolder(path: string): Promise<boolean> {
  const entry = await findEntry(path);
  if (!entry || entry.isDirectory()) return entry !== undefined;
  const hint = entry.isSymbolicLink()
    ? 'Give the directory that the link leads to, or a new one'
    : 'Choose a new or an empty directory';
  throw new ExportError('DIRECTORY', `${path} is ${describeEntry(entry)}, not a directory`, {
    hint,
  });
}

/** Checks for a regular file. @returns false when nothing is there. @throws ExportError DIRECTORY for a link or anything else. */
export async function checkFile(path: string): Promise<boolean> {
  const entry = await findEntry(path);
  if (!entry || entry.isFile()) return entry !== undefined;
  throw new ExportError('DIRECTORY', `${path} is ${describeEntry(entry)}, not a file`, {
    hint: 'A pull replaces and reads only files that it made. Move it away',
  });
}

/**
 * Checks that nobody else owns a pull's own file or may write it: they could decide what the pull moves.
 * Windows has no such owners and modes.
 * @throws ExportError DIRECTORY
 */
export function checkOwner(path: string, { uid, mode }: Pick<Stats, 'uid' | 'mode'>): void {
  const self = process.geteuid?.();
  if (self === undefined) return;
  if (uid !== self)
    throw new ExportError(
      'DIRECTORY',
      `${path} belongs to another user (uid ${uid}, and this process has uid ${self})`,
      {
        hint: `Run as that user, or chown it if you trust its content, or pull into a new directory`,
      },
    );
  if ((mode & 0o022) !== 0)
    throw new ExportError(
      'DIRECTORY',
      `${path} can be written by others (mode 0${(mode & 0o777).toString(8)})`,
      { hint: `If you trust its content: chmod go-w ${path}. If not, pull into a new directory` },
    );
}

/**
 * Reads a file, which must be a regular one.
 * @param isOwn true to refuse a file that others own or may write.
 * @returns undefined when it is not there. @throws ExportError DIRECTORY
 */
export async function readText(path: string, isOwn = false): Promise<string | undefined> {
  if (!(await checkFile(path))) return undefined;
  await using file = await openForReading(path);
  const entry = await file.stat();
  if (isOwn) checkOwner(path, entry);
  if (entry.size > MAX_TEXT_BYTES)
    throw new ExportError('DIRECTORY', `${path} has ${entry.size} bytes: a pull did not write it`);
  return file.readFile('utf8');
}

/**
 * Refuses links and special files anywhere below a folder: an unpacked archive may hold them, and what
 * is written or emptied through them is outside.
 * @throws ExportError DIRECTORY
 */
export async function refuseLinks(folder: string): Promise<void> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    // Another process, which holds the directory, removed it.
    if (findErrno(error) === 'ENOENT') return;
    throw error;
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await refuseLinks(path);
    else if (!entry.isFile()) await checkFile(path);
  }
}

/** Flags of reading: the system refuses a symbolic link, and a pipe does not block. */
export const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Opens a file for reading; the system refuses a symbolic link. */
export async function openForReading(path: string): Promise<FileHandle> {
  return open(path, READ_FLAGS);
}

/** Length and hex SHA-256 of a file as it is on disk. */
export interface FileSum {
  bytes: number;
  sha256: string;
}

/** Reads the length and SHA-256 of a file. @throws a system error for a link; ExportError INTERRUPTED */
export async function sumFile(path: string, signal?: AbortSignal): Promise<FileSum> {
  await using file = await openForReading(path);
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  for (let bytes = 0; ;) {
    if (signal?.aborted) throw new ExportError('INTERRUPTED', 'interrupted');
    const { bytesRead } = await file.read(buffer, 0, buffer.length);
    if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
    hash.update(buffer.subarray(0, bytesRead));
    bytes += bytesRead;
  }
}
