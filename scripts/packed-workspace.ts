/** Copies the workspace and installs its tarballs into other projects, for the tests of the packages. */

import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

export const run = promisify(execFile);
export const CHECKOUT = join(import.meta.dirname, '..');
const LIBRARIES = ['contract', 'client', 'formats'];
/** The packages that users of the data install. */
export const COMMAND = [...LIBRARIES, 'cli'];
export const PACKED = [...COMMAND, 'postgres', 'sample', 'server'];
/** The workspace without the packages' own changes while they are packed: a pack rewrites manifests. */
export async function copyWorkspace(to: string): Promise<void> {
  for (const name of ['package.json', 'tsconfig.json', 'scripts', 'LICENSE']) {
    await cp(join(CHECKOUT, name), join(to, name), { recursive: true });
  }
  const skipped = new Set(['node_modules', 'dist', 'test', 'data']);
  await cp(join(CHECKOUT, 'packages'), join(to, 'packages'), {
    recursive: true,
    filter: (path) => !skipped.has(basename(path)),
  });
  await mkdir(join(to, 'node_modules/@tillroll'), { recursive: true });
  for (const name of await readdir(join(CHECKOUT, 'node_modules'))) {
    if (name === '@tillroll') continue;
    await symlink(join(CHECKOUT, 'node_modules', name), join(to, 'node_modules', name));
  }
  for (const name of await readdir(join(to, 'packages'))) {
    await symlink(join(to, 'packages', name), join(to, 'node_modules/@tillroll', name));
  }
}

/** Installs tarballs, or packages by name, into an empty directory. */
export async function install(packages: readonly string[], cwd: string): Promise<void> {
  await run('npm', ['init', '-y'], { cwd });
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...packages], {
    cwd,
  });
}

/** `from "x"` and `import("x")`, of packages. */
const IMPORTED =
  /(?:\bfrom\s*|\bimport\s*\(\s*)["']((?:@[\w-]+\/)?[a-z][\w-]*[\w./-]*)["']\s*[;)\n]/g;

/** Lists the packages that the compiled files of a folder import, by name. */
export async function listImports(folder: string): Promise<string[]> {
  const imported = new Set<string>();
  for (const file of await readdir(folder, { recursive: true })) {
    if (!/\.(?:js|d\.ts)$/.test(file)) continue;
    const text = await readFile(join(folder, file), 'utf8');
    for (const [, found = ''] of text.matchAll(IMPORTED))
      imported.add(/^(?:@[^/]+\/)?[^/]+/.exec(found)?.[0] ?? '');
  }
  return [...imported];
}
