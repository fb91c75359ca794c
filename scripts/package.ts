/**
 * npm's `prepack` and `postpack` for the packages: what is packed is compiled, what is checked out is
 * not. Node strips types everywhere but inside node_modules, which is why a published package cannot
 * be the TypeScript it was written in.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const MANIFEST = 'package.json';
/** The manifest as it is checked out, while `package.json` is the one to be packed. */
const SOURCE = 'package.json.source';
const DIST = 'dist';

interface Manifest {
  exports?: Record<string, string>;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

/** `./src/assemble/worker.ts` is the entry `assemble/worker`; `*.json` is not code. */
function parseEntry(target: string): string {
  const path = /^\.\/src\/(.+)\.ts$/.exec(target)?.[1];
  if (path === undefined)
    throw new Error(`cannot pack the export ${target}: it is not a ./src/*.ts`);
  return path;
}

/** The file compiled from an export. */
function compiledExport(target: string): { types: string; default: string } | string {
  if (target.endsWith('.json')) return target.replace('./src/', `./${DIST}/`);
  const path = parseEntry(target);
  return { types: `./${DIST}/${path}.d.ts`, default: `./${DIST}/${path}.js` };
}

/** The text of the manifest to pack, from the text of the one that is checked out. */
function packedManifest(source: string): string {
  const manifest = JSON.parse(source) as Manifest;
  if (!manifest.exports) return source;
  const exports = Object.entries(manifest.exports).map(([name, target]) => [
    name,
    compiledExport(target),
  ]);
  return `${JSON.stringify({ ...manifest, exports: Object.fromEntries(exports) }, null, 2)}\n`;
}

/** Writes a file whole or not at all, also when the process is killed. */
function write(path: string, text: string): void {
  writeFileSync(`${DIST}/manifest.tmp`, text);
  renameSync(`${DIST}/manifest.tmp`, path);
}

/** Puts the folder back as it is checked out; also after a pack that was interrupted. */
function restore(): void {
  if (existsSync(SOURCE)) {
    const source = readFileSync(SOURCE, 'utf8');
    const present = readFileSync(MANIFEST, 'utf8');
    if (present !== source && present !== packedManifest(source)) {
      throw new Error(
        `${MANIFEST} was edited after a pack was interrupted: take over the edit into ${SOURCE}, or remove ${SOURCE}`,
      );
    }
    renameSync(SOURCE, MANIFEST);
  }
  rmSync(DIST, { recursive: true, force: true });
}

/**
 * Types and code apart: docstrings are for the types, which editors show. A library's code is bundled,
 * so that importing it reads a few small files; of its types those remain that its entries lead to.
 */
async function compile(manifest: Manifest): Promise<void> {
  const entries = Object.values(manifest.exports ?? {})
    .filter((target) => target.endsWith('.ts'))
    .map(parseEntry);
  if (entries.length === 0) tsc({ removeComments: true });
  else {
    tsc({ declaration: true, emitDeclarationOnly: true });
    pruneTypes(entries);
    await bundle(entries, Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }));
  }
  cpSync('src', DIST, { recursive: true, filter: (path) => !path.endsWith('.ts') });
}

function tsc(pass: Readonly<Record<string, boolean>>): void {
  // Inside dist, so that one removal undoes everything.
  const config = `${DIST}/tsconfig.json`;
  const options = {
    extends: '../../../tsconfig.json',
    compilerOptions: {
      noEmit: false,
      ...pass,
      rootDir: '../src',
      outDir: '.',
      // Keeps the other packages of the workspace in node_modules: they are imported, not compiled.
      preserveSymlinks: true,
    },
    include: ['../src'],
  };
  writeFileSync(config, JSON.stringify(options));
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
  // npm's standard output is for the name of the tarball, or its JSON; errors go where they are read.
  execFileSync(process.execPath, [join(typescript, 'bin', 'tsc'), '-p', config], {
    stdio: ['ignore', 2, 2],
  });
  rmSync(config);
}

/** Removes the types of files that no entry's types mention. */
function pruneTypes(entries: readonly string[]): void {
  const reached = new Set<string>();
  const visit = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(
      /(?:from |import\()'(\.[^']+)'/g,
    ))
      visit(join(dirname(file), specifier.replace(/\.(ts|js)$/, '.d.ts')));
  };
  for (const entry of entries) visit(join(DIST, `${entry}.d.ts`));
  for (const file of readdirSync(DIST, { recursive: true, encoding: 'utf8' })) {
    const path = join(DIST, file);
    if (path.endsWith('.d.ts') && !reached.has(path)) rmSync(path);
  }
}

async function bundle(entries: readonly string[], packages: readonly string[]): Promise<void> {
  const { rolldown } = await import('rolldown');
  const bundled = await rolldown({
    input: Object.fromEntries(entries.map((entry) => [entry, `src/${entry}.ts`])),
    // A dependency with all of its entries.
    external: [/^node:/, ...packages.map((name) => new RegExp(`^${name}(/|$)`))],
    platform: 'node',
    logLevel: 'warn',
  });
  await bundled.write({ dir: DIST, format: 'esm', minify: true, chunkFileNames: '[name].js' });
  await bundled.close();
}

async function prepack(): Promise<void> {
  restore();
  mkdirSync(DIST);
  try {
    const source = readFileSync(MANIFEST, 'utf8');
    await compile(JSON.parse(source) as Manifest);
    write(SOURCE, source);
    write(MANIFEST, packedManifest(source));
  } catch (error) {
    // npm runs no postpack after a prepack that failed.
    restore();
    throw error;
  }
}

const STEPS: Readonly<Record<string, () => void | Promise<void>>> = { prepack, postpack: restore };
const step = STEPS[process.argv[2] ?? ''];
if (step && existsSync(MANIFEST) && existsSync('src')) {
  try {
    await step();
  } catch (error) {
    process.stderr.write(`package.ts: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
} else {
  process.stderr.write("package.ts: run as `package.ts prepack|postpack` in a package's folder\n");
  process.exitCode = 2;
}
