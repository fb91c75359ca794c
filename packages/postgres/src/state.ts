import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfExists, renameDurably } from './files.ts';

/** The part of `postgres.json` that is read. The file also has what a person with psql needs to connect. */
export interface State {
  readonly home: string;
  readonly password: string;
}

export function stateFile(dataDir: string): string {
  return join(dataDir, 'postgres.json');
}

export async function readState(dataDir: string): Promise<State | null> {
  const file = stateFile(dataDir);
  const text = await readIfExists(file).catch((cause: unknown) => {
    throw new Error(`${file} cannot be read: start as the user that owns it`, { cause });
  });
  if (text === null) return null;
  try {
    const { home, password } = JSON.parse(text) as Partial<State>;
    if (typeof home === 'string' && typeof password === 'string') return { home, password };
  } catch {
    // Falls through: not JSON and not a state are the same to the reader.
  }
  throw new Error(
    `${file} holds the database's password and is damaged: restore it, or move it and the database away to start empty`,
  );
}

/** Keeps the file true, also after a move of the data directory. */
export async function writeState(dataDir: string, state: State): Promise<void> {
  const file = stateFile(dataDir);
  const text = JSON.stringify(state, null, 2) + '\n';
  if ((await readIfExists(file)) === text) return;
  const draft = `${file}.new`;
  await writeFile(draft, text, { mode: 0o600, flush: true });
  await renameDurably(draft, file);
}
