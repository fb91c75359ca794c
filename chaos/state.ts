import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Row } from './verdict.ts';

/** Progress of a run: what it has done so far. */
export interface State {
  readonly isShort: boolean;
  readonly seed: string;
  readonly rows: readonly Row[];
}

/** Reads the state of an earlier run. @returns null when there is none. @throws for a file that is not one. */
export async function readState(file: string): Promise<State | null> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  try {
    return JSON.parse(text) as State;
  } catch (cause) {
    throw new Error(`${file} is not a state of this suite: delete it`, { cause });
  }
}

/** Replaces the file as a whole, so that a run that is killed leaves one that can be read. */
export async function writeState(file: string, state: State): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(state, null, 1)}\n`);
  await rename(`${file}.new`, file);
}
