/** Reads and writes the file of saved connections, `profiles.json`. */
import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { quoted, UsageError } from '../exit.ts';

/** A connection that is saved under a name. */
export interface Profile {
  url: string;
  merchant: string;
  token: string;
}

export type Profiles = Record<string, Profile>;

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const READABLE_BY_OTHERS = 0o077;

/** @throws UsageError */
export function checkProfileName(name: string): string {
  // `__proto__` and the like are special members of an object; they do not begin with a letter.
  if (NAME.test(name)) return name;
  throw new UsageError(
    `a profile's name is 1 to 64 of A-Z a-z 0-9 _ . - and begins with a letter or a digit; got ${quoted(name)}`,
  );
}

/**
 * `~/.config/tillroll/profiles.json`, also on macOS, where users expect the files of command line
 * programs there rather than in ~/Library; on Windows in %APPDATA%.
 */
export function profilesPath(env: NodeJS.ProcessEnv, platform = process.platform): string {
  return join(configurationDirectory(env, platform), 'tillroll', 'profiles.json');
}

function configurationDirectory(env: NodeJS.ProcessEnv, platform: string): string {
  const home = env['HOME'] || homedir();
  if (platform === 'win32') return env['APPDATA'] || join(home, 'AppData', 'Roaming');
  const xdg = env['XDG_CONFIG_HOME'];
  // The XDG rule: ignore a path that is not absolute.
  return xdg && isAbsolute(xdg) ? xdg : join(home, '.config');
}

/**
 * All profiles; none when there is no file.
 * @throws Error when others could have read the tokens, or when the file has other content.
 */
export async function readProfiles(path: string): Promise<Profiles> {
  let text: string;
  try {
    if (process.platform !== 'win32') {
      const { mode } = await stat(path);
      if ((mode & READABLE_BY_OTHERS) !== 0) {
        throw new Error(
          `${path} holds tokens and is open to other users (mode ${(mode & 0o777).toString(8)}): run chmod 600 ${shellQuoted(path)}`,
        );
      }
    }
    text = await readFile(path, 'utf8');
  } catch (error) {
    // ENOTDIR: HOME is not a directory, as in some containers.
    if (['ENOENT', 'ENOTDIR'].includes(findErrno(error))) return {};
    throw error;
  }
  return parse(text, path);
}

function findErrno(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

function shellQuoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}

function parse(text: string, path: string): Profiles {
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch {
    // The message of JSON.parse quotes the text, which may hold a token.
    throw new Error(`${path} is not valid JSON. Fix it, or remove it and add the profiles again`);
  }
  const profiles = (whole as { profiles?: unknown } | null)?.profiles;
  if (typeof profiles !== 'object' || profiles === null || Array.isArray(profiles))
    throw new Error(`${path} must be {"profiles": {"NAME": {"url", "merchant", "token"}}}`);
  for (const [name, profile] of Object.entries(profiles as Record<string, unknown>)) {
    const { url, merchant, token } = (profile ?? {}) as Record<string, unknown>;
    if (![url, merchant, token].every((member) => typeof member === 'string'))
      throw new Error(
        `profile ${JSON.stringify(name)} in ${path} must have url, merchant and token, each a string`,
      );
  }
  return profiles as Profiles;
}

/** Replaces the file as a whole; only this user can read it. */
export async function writeProfiles(path: string, profiles: Profiles): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Error(
      `cannot make ${dirname(path)} (${findErrno(error)}). Set XDG_CONFIG_HOME to a directory of your own`,
      { cause: error },
    );
  }
  const temporary = `${path}.${process.pid}.tmp`;
  await rm(temporary, { force: true });
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify({ profiles }, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    // An odd umask may have taken away our own permission to read it.
    await chmod(temporary, 0o600);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
