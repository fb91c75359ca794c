/** Compares files with a receipt and explains what happened to those that differ. */
import { findErrno } from '../disk/errors.ts';
import { absolutePath } from './layout.ts';
import { findEntry, sumFile } from '../disk/entries.ts';

/** A file as a receipt names it. */
export interface ExpectedFile {
  path: string;
  bytes: number;
  sha256: string;
}

/** A file as it is. `sha256`: undefined when it need not be read, or cannot be. */
export type FoundFile =
  | { is: 'file'; bytes: number; sha256: string | undefined; code?: string }
  | { is: 'link' }
  | { is: 'missing' };

/** A fault of one file or of two that were swapped. */
export interface Fault {
  /** Relative to the directory, made safe for a terminal. */
  path: string;
  message: string;
}

/** Inspects a file. Its content is hashed when `isHashed` is true for its length. */
export async function inspectFile(
  out: string,
  path: string,
  isHashed: (bytes: number) => boolean,
  signal: AbortSignal | undefined,
): Promise<FoundFile> {
  const absolute = absolutePath({ out }, path);
  try {
    const entry = await findEntry(absolute);
    if (!entry) return { is: 'missing' };
    if (!entry.isFile()) return { is: 'link' };
    const sha256 = isHashed(entry.size) ? (await sumFile(absolute, signal)).sha256 : undefined;
    return { is: 'file', bytes: entry.size, sha256 };
  } catch (error) {
    const code = findErrno(error);
    if (!/^E[A-Z]+$/.test(code)) throw error;
    return { is: 'file', bytes: 0, sha256: undefined, code };
  }
}

/**
 * Explains what happened to files that are not as expected, each cause once.
 * @param faulty expected files that are not what they should be, with what is there instead.
 * @param unknown files that are not expected, with what is in them.
 * @param expected all expected files, by path.
 */
export function explainFaults(
  faulty: ReadonlyMap<string, FoundFile>,
  unknown: ReadonlyMap<string, FoundFile>,
  expected: ReadonlyMap<string, ExpectedFile>,
): Fault[] {
  const faults: Fault[] = [];
  const explained = new Set<string>();
  const bySha256 = new Map<string, string>();
  for (const { path, sha256 } of expected.values()) bySha256.set(sha256, path);
  // Empty files have the same content without being copies.
  const findContent = (found: FoundFile | undefined): string | undefined =>
    found?.is === 'file' && found.bytes > 0 ? found.sha256 : undefined;
  const add = (path: string, message: string): void => {
    faults.push({ path, message });
    explained.add(path);
  };

  for (const [path, found] of faulty) {
    if (explained.has(path)) continue;
    const { bytes, sha256 } = expected.get(path) as ExpectedFile;
    if (found.is === 'link') {
      add(path, 'is not a regular file: a link or another thing is in its place');
      continue;
    }
    if (found.is === 'missing') {
      const renamed = [...unknown].find(([, other]) => findContent(other) === sha256)?.[0];
      if (renamed === undefined) add(path, 'is missing');
      else {
        add(path, `was renamed to ${renamed}`);
        explained.add(renamed);
      }
      continue;
    }
    if (found.code !== undefined) {
      add(path, `cannot be read (${found.code})`);
      continue;
    }
    const original = bySha256.get(findContent(found) ?? '');
    if (original !== undefined) {
      const isSwapped = findContent(faulty.get(original)) === sha256 && !explained.has(original);
      add(path, isSwapped ? `was swapped with ${original}` : `has the content of ${original}`);
      if (isSwapped) explained.add(original);
    } else if (found.bytes !== bytes) {
      const how = found.bytes < bytes ? 'cut' : 'extended';
      add(path, `was ${how}: it has ${found.bytes} bytes, and the receipt says ${bytes}`);
    } else add(path, `was altered: its SHA-256 is ${found.sha256}, not ${sha256}`);
  }
  for (const [path, found] of unknown) {
    if (explained.has(path)) continue;
    const original = bySha256.get(findContent(found) ?? '');
    if (original !== undefined) add(path, `is not in the receipt: a copy of ${original}`);
    else add(path, 'is not in the receipt');
  }
  return faults;
}
