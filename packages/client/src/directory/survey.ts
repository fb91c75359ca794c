/** Lists the files of data that are in a directory, whoever made them. */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { findErrno } from '../disk/errors.ts';
import { absolutePath, DATA_FOLDERS, OBJECTS } from './layout.ts';
import { findEntry } from '../disk/entries.ts';

/** The files of a directory, without its own records. Paths are relative, with `/`. */
export interface Survey {
  files: string[];
  /** Symbolic links and special files. */
  links: string[];
  /** Folders that could not be read, with the system's code. */
  unreadable: { path: string; code: string }[];
}

/** Names that readers of data would take for data, also in folders that no pull made. */
const DATA_FILE = /\.(?:jsonl|ndjson|json|csv|tsv|parquet|duckdb|wal)(?:\.(?:gz|zst|bz2))?$/i;

function isDataFolder(path: string): boolean {
  const top = path.startsWith(`${OBJECTS}/`) ? OBJECTS : path.split('/')[0];
  return top === OBJECTS || (path.includes('/') && DATA_FOLDERS.includes(top ?? ''));
}

/**
 * Lists every file in the folders of data, at any depth, and those elsewhere that have the name of a
 * data file. Files whose names begin with a dot are listed only with the name of a data file.
 */
export async function surveyDirectory(out: string): Promise<Survey> {
  const survey: Survey = { files: [], links: [], unreadable: [] };
  await surveyFolder(out, '', survey);
  if ((await findEntry(absolutePath({ out }, OBJECTS)))?.isSymbolicLink())
    survey.links.push(OBJECTS);
  else await surveyFolder(out, OBJECTS, survey);
  return survey;
}

async function surveyFolder(out: string, folder: string, survey: Survey): Promise<void> {
  let entries: Dirent[];
  try {
    entries = await readdir(absolutePath({ out }, folder), { withFileTypes: true });
  } catch (error) {
    if (folder !== OBJECTS || !['ENOENT', 'ENOTDIR'].includes(findErrno(error)))
      survey.unreadable.push({ path: folder, code: findErrno(error) });
    return;
  }
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    const isHidden = entry.name.startsWith('.');
    if (entry.isDirectory()) {
      // A volume's own folders are often unreadable, and never data.
      if (!isHidden && !/^(?:lost\+found|System Volume Information|\$RECYCLE\.BIN)$/.test(path))
        await surveyFolder(out, path, survey);
    } else if (DATA_FILE.test(path) || (isDataFolder(path) && !isHidden)) {
      (entry.isFile() ? survey.files : survey.links).push(path);
    } else if (!entry.isFile() && DATA_FOLDERS.includes(path)) survey.links.push(path);
  }
}
