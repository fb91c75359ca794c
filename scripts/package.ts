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

/** `./src/index.ts` becomes what was compiled from it. */
function compiledExport(target: string): { types: string; default: string } {
  const path = /^\.\/src\/(.+)\.ts$/.exec(target)?.[1];
  if (path === undefined) throw new Error(`cannot pack the export ${target}: it is no ./src/*.ts`);
  return { types: `./${DIST}/${path}.d.ts`, default: `./${DIST}/${path}.js` };
}

/** The text of the manifest to pack, from the text of the one that is checked out. */
function packedManifest(source: string): string {
  const manifest = JSON.parse(source) as { exports?: Record<string, string> };
  if (!manifest.exports) return source;
  const exports = Object.entries(manifest.exports).map(([name, target]) => [
    name,
    compiledExport(target),
  ]);
  return `${JSON.stringify({ ...manifest, exports: Object.fromEntries(exports) }, null, 2)}\n`;
}

/** Written whole or not at all, whenever we are interrupted. */
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

function compile(): void {
  // Inside dist, so that one removal undoes everything.
  const config = `${DIST}/tsconfig.json`;
  const options = {
    extends: '../../../tsconfig.json',
    compilerOptions: {
      noEmit: false,
      declaration: true,
      declarationMap: true,
      sourceMap: true,
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
  cpSync('src', DIST, { recursive: true, filter: (path) => !path.endsWith('.ts') });
}

function prepack(): void {
  restore();
  mkdirSync(DIST);
  try {
    compile();
    const source = readFileSync(MANIFEST, 'utf8');
    write(SOURCE, source);
    write(MANIFEST, packedManifest(source));
  } catch (error) {
    // npm runs no postpack after a prepack that failed.
    restore();
    throw error;
  }
}

const STEPS: Readonly<Record<string, () => void>> = { prepack, postpack: restore };
const step = STEPS[process.argv[2] ?? ''];
if (step && existsSync(MANIFEST) && existsSync('src')) {
  try {
    step();
  } catch (error) {
    process.stderr.write(`package.ts: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
} else {
  process.stderr.write("package.ts: run as `package.ts prepack|postpack` in a package's folder\n");
  process.exitCode = 2;
}
