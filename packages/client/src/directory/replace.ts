/** Replaces the files of a directory as its state says. */
import { rename, rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { chooseFolderMode, makeDirectory, syncDirectory } from '../disk/write.ts';
import { absolutePath, isOwnPath, OWN, parsePath, STAGING } from './layout.ts';
import { OWN_FOLDER_MODE } from './prepare.ts';
import { checkFile, checkFolder } from '../disk/entries.ts';
import type { State } from './state.ts';

/** Notes in the state the files that a change makes, and those to remove because their month is gone. */
export function noteMade(draft: State): void {
  const isKept = (path: string): boolean => {
    const parsed = parsePath(draft, path);
    if (!parsed || !('month' in parsed)) return true;
    return Object.hasOwn(draft.types[parsed.type]?.months ?? {}, parsed.month);
  };
  const replaced = draft.pending.map(({ path }) => path).filter((path) => !isOwnPath(path));
  const made = [...new Set([...draft.made, ...replaced])];
  draft.made = made.filter(isKept).toSorted();
  draft.obsolete = made.filter((path) => !isKept(path));
}

/**
 * Removes and renames the files that the state names; after a kill, those that are left.
 * @param check called before each step: the lease must still be held.
 */
export async function replaceFiles(
  out: string,
  { pending, obsolete, fileMode }: State,
  check: () => Promise<void>,
): Promise<void> {
  const changed = new Set<string>();
  for (const path of obsolete) {
    const final = absolutePath({ out }, path);
    await checkFolder(dirname(final));
    await checkFile(final);
    await check();
    await rm(final, { force: true });
  }
  for (const { staged, path } of pending) {
    const from = absolutePath({ out }, `${STAGING}/${staged}`);
    if (!(await checkFile(from))) continue;
    const final = absolutePath({ out }, path);
    await makeFoldersAbove(out, path, fileMode);
    await checkFile(final);
    await check();
    await rename(from, final);
    changed.add(dirname(final));
    // Fails, as it should, while other files are in the folder.
    await rmdir(dirname(from)).catch(() => undefined);
  }
  for (const folder of changed) await syncDirectory(folder);
}

/** Makes the folders above a file, with the permissions that belong there. */
async function makeFoldersAbove(out: string, path: string, fileMode: number): Promise<void> {
  const names = path.split('/').slice(0, -1);
  const mode = names[0] === OWN ? OWN_FOLDER_MODE : chooseFolderMode(fileMode);
  for (let i = 1; i <= names.length; i++) {
    const folder = absolutePath({ out }, names.slice(0, i).join('/'));
    if (await checkFolder(folder)) continue;
    await makeDirectory(folder, mode);
    await syncDirectory(dirname(folder));
  }
}
