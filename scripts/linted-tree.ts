/** A copy of the tree in which tests plant imports. Importing this file makes the copy before the tests, and removes it after them. */

import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';

export const CHECKOUT = join(import.meta.dirname, '..');

const OXLINT = join(
  dirname(createRequire(import.meta.url).resolve('oxlint/package.json')),
  'bin/oxlint',
);

/** A copy of what is linted, so that no other test sees what is planted. */
let tree: string;

beforeAll(async () => {
  tree = await realpath(await mkdtemp(join(tmpdir(), 'tillroll-boundaries-')));
  const skipped = new Set(['node_modules', 'dist', 'data', 'results']);
  for (const name of ['.oxlintrc.json', 'scripts', 'packages', 'acceptance', 'attack']) {
    await cp(join(CHECKOUT, name), join(tree, name), {
      recursive: true,
      filter: (path) => !skipped.has(basename(path)),
    });
  }
});

afterAll(async () => {
  await rm(tree, { recursive: true, force: true });
});

export interface Diagnostic {
  code: string;
  message: string;
  filename: string;
}

/** Lints with the rules of this repository, and gives their faults by file. Other rules are ignored. */
export function lint(...paths: string[]): { status: number | null; faults: string[] } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [OXLINT, '--deny-warnings', '--format=json', ...paths],
    { cwd: tree, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  if (!stdout.startsWith('{')) throw new Error(`oxlint: ${stdout}${stderr}`);
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: Diagnostic[] };
  const faults = diagnostics
    .filter(({ code }) => code.startsWith('tillroll('))
    .map(({ filename, message }) => `${filename}: ${message}`);
  return { status, faults };
}

/** Lints files that are written for this one run. */
export async function plant(
  ...files: readonly { file: string; text: string }[]
): Promise<{ status: number | null; faults: string[] }> {
  try {
    for (const { file, text } of files) {
      await mkdir(dirname(join(tree, file)), { recursive: true });
      await writeFile(join(tree, file), `${text}\n`);
    }
    return lint(...files.map(({ file }) => file));
  } finally {
    for (const { file } of files) await rm(join(tree, file));
  }
}
