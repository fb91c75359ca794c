/**
 * Import cycles, as an oxlint rule (`tillroll/import-cycles`). A rule of our own because oxlint's
 * `import/no-cycle` does not follow `import()`, neither of values nor of types.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { importVisitors, type LintContext } from './lint-rule.ts';

const ROOT = join(import.meta.dirname, '..');

/** A relative specifier in any kind of import or re-export, of values or types. */
const SPECIFIERS = /\b(?:from|import)\s*\(?\s*(['"])(\.{1,2}\/[^'"\n]+)\1/g;

/** The files that a file imports, by absolute path. Read once for each lint run. */
const imports = new Map<string, readonly string[]>();

function readImports(file: string): readonly string[] {
  let found = imports.get(file);
  if (!found) {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    found = [...text.matchAll(SPECIFIERS)].map(([, , specifier = '']) =>
      join(dirname(file), specifier),
    );
    imports.set(file, found);
  }
  return found;
}

/** Finds the shortest chain of imports from one file to another, both included. */
function findChain(from: string, to: string): string[] | undefined {
  const importers = new Map<string, string | undefined>([[from, undefined]]);
  for (const file of importers.keys()) {
    if (file === to) {
      const chain: string[] = [];
      for (let at: string | undefined = to; at !== undefined; at = importers.get(at))
        chain.unshift(at);
      return chain;
    }
    for (const next of readImports(file)) if (!importers.has(next)) importers.set(next, file);
  }
  return undefined;
}

function create(context: LintContext) {
  return importVisitors((node, specifier) => {
    if (specifier === undefined || !/^\.{1,2}\//.test(specifier)) return;
    const chain = findChain(join(dirname(context.filename), specifier), context.filename);
    if (!chain) return;
    const names = [context.filename, ...chain].map((file) =>
      relative(ROOT, file).replaceAll(sep, '/'),
    );
    context.report({ node, message: `an import cycle: ${names.join(' -> ')}` });
  });
}

export const importCycles = { meta: { type: 'problem' }, create };
