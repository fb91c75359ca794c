import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, syncDirectory } from './directories.ts';

/** `postgres.json`: what a program (or a person with psql) needs to connect. */
export interface State {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly home: string;
  readonly version: string;
}

export function stateFile(dataDir: string): string {
  return join(dataDir, 'postgres.json');
}

export async function readState(dataDir: string): Promise<State | null> {
  const file = stateFile(dataDir);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw new Error(`${file} cannot be read: start as the user that owns it`, { cause: error });
  }
  try {
    const state: unknown = JSON.parse(text);
    if (isState(state)) return state;
  } catch {
    // Falls through: not JSON and not a state are the same to the reader.
  }
  throw new Error(
    `${file} holds the database's password and is damaged: restore it, or move it and the database away to start empty`,
  );
}

/**
 * Makes a password, and writes the state before there is a cluster, so that no crash can leave a cluster whose password is
 * lost.
 */
export async function createState(dataDir: string, rest: Omit<State, 'password'>): Promise<State> {
  const state: State = { ...rest, password: randomBytes(32).toString('base64url') };
  await writeState(dataDir, state);
  return state;
}

/** Keeps the file true after a move, an upgrade or a change of the socket's directory. */
export async function updateState(dataDir: string, state: State): Promise<void> {
  const old = await readState(dataDir);
  const same = (Object.keys(state) as (keyof State)[]).every((key) => old?.[key] === state[key]);
  if (!same) await writeState(dataDir, state);
}

async function writeState(dataDir: string, state: State): Promise<void> {
  const file = stateFile(dataDir);
  const draft = `${file}.new`;
  await rm(draft, { force: true });
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(JSON.stringify(state, null, 2) + '\n');
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
  await syncDirectory(dataDir);
}

function isState(value: unknown): value is State {
  if (typeof value !== 'object' || value === null) return false;
  const { host, port, user, password, home, version } = value as Record<string, unknown>;
  return (
    typeof port === 'number' &&
    [host, user, password, home, version].every((field) => typeof field === 'string')
  );
}
