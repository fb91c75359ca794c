/**
 * The boundaries between modules, as an oxlint rule (`tillroll/import-boundaries`, see .oxlintrc.json): which
 * module may import which. A rule of our own rather than `no-restricted-imports`: that one compares the text
 * between the quotes, this one the file which the text leads to, however many `../` away.
 */
import { dirname, join, relative, sep } from 'node:path';
import { importCycles } from './import-cycles.ts';
import { importVisitors, type LintContext } from './lint-rule.ts';

const ROOT = join(import.meta.dirname, '..');
const SERVER = 'packages/server';
const CONTRACT = '@tillroll/contract';
const CLIENT = '@tillroll/client';

type May = readonly string[] | { anythingBut: readonly string[] };

interface Package {
  /** Files at the root of src that any module may import and that import no module. */
  sharedFiles: readonly string[];
  /** True when shared files may import the contract. */
  hasContractInSharedFiles: boolean;
  /** Folders and files of src, from the top: what each may import besides itself, shared files and the contract. */
  modules: Readonly<Record<string, May>>;
  /** The packages of ours that only some modules may import, and those; every module may import the contract. */
  ours: Readonly<Record<string, readonly string[]>>;
  /** The reason why no other package of ours may be imported, for the message. */
  knows: string;
}

/** Modules of which each may import those that stand behind it. */
function downwards(...names: readonly string[]): Record<string, May> {
  return Object.fromEntries(names.map((name, index) => [name, names.slice(index + 1)]));
}

/** Packages whose modules have boundaries. */
const PACKAGES: Readonly<Record<string, Package>> = {
  'packages/server': {
    sharedFiles: [
      'abort.ts',
      'clock.ts',
      'deadline.ts',
      'errors.ts',
      'fair-semaphore.ts',
      'free-disk.ts',
      'log.ts',
      'observer.ts',
      'unavailable.ts',
      'version.ts',
      'watch.ts',
      'worker-channel.ts',
    ],
    hasContractInSharedFiles: false,
    modules: {
      'main.ts': { anythingBut: [] },
      'service.ts': { anythingBut: ['main.ts'] },
      start: { anythingBut: ['main.ts', 'service.ts', 'commands'] },
      commands: { anythingBut: ['main.ts', 'http', 'start'] },
      http: ['exports', 'access', 'ingest', 'receipts', 'storage', 'database', 'config'],
      worker: ['exports', 'queue', 'source', 'sink', 'storage', 'database', 'repeated-warnings.ts'],
      backup: ['exports', 'database'],
      queue: ['database'],
      exports: ['access', 'database'],
      access: ['database'],
      metrics: [],
      ingest: ['database'],
      receipts: ['database'],
      source: ['database'],
      sink: ['storage'],
      storage: [],
      database: [],
      config: ['database', 'storage'],
      'store.ts': ['storage', 'database'],
      'repeated-warnings.ts': [],
    },
    ours: { '@tillroll/postgres': ['database'], '@tillroll/sample': ['commands'] },
    knows: 'of ours, the server knows the contract, its own PostgreSQL and the sample alone',
  },
  'packages/client': {
    sharedFiles: ['errors.ts'],
    hasContractInSharedFiles: true,
    modules: downwards(
      'index.ts',
      'files.ts',
      'client.ts',
      'pull',
      'directory',
      'assemble',
      'download',
      'api',
      'json',
      'time',
      'http',
      'disk',
    ),
    ours: {},
    knows: 'the client knows the contract alone',
  },
};

/** npm's packages that only some modules of the server may import, or that some may not. */
const DEPENDENCIES: readonly { name: RegExp; may: May }[] = [
  { name: /^(fastify|@fastify\/.+)$/, may: ['http'] },
  { name: /^pg-boss$/, may: ['queue'] },
  { name: /^prom-client$/, may: ['metrics'] },
  { name: /^(pg|pg-copy-streams)$/, may: ['database', 'source', 'ingest', 'queue', 'backup'] },
  { name: /^jose$/, may: ['receipts'] },
  { name: /^@aws-sdk\/.+$/, may: ['storage'] },
];

/** Folders that meet the programs from outside, and what they know of them. */
const BLACK_BOXES = [
  ['acceptance', 'a base URL'],
  ['attack', "HTTP and the operator's commands"],
] as const;

function allows(may: May, wanted: string): boolean {
  return 'anythingBut' in may ? !may.anythingBut.includes(wanted) : may.includes(wanted);
}

/** `fastify/lib/x.js` is of the package `fastify`, `@aws-sdk/client-s3/y` of `@aws-sdk/client-s3`. */
function findPackageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function isIn(file: string, folder: string): boolean {
  return file === folder || file.startsWith(`${folder}/`);
}

function isOurs(name: string): boolean {
  return name.startsWith('@tillroll/');
}

function betweenModules(own: Package, module: string, to: string): string | undefined {
  if (to === module) return undefined;
  if (own.sharedFiles.includes(module))
    return `${module} is a shared file: it imports nothing of ours, so not ${to}`;
  const may = own.modules[module];
  if (!may) return `${module} is not among the modules: add it to scripts/import-boundaries.ts`;
  return own.sharedFiles.includes(to) || allows(may, to)
    ? undefined
    : `${module} must not import ${to}`;
}

/** Returns why a module must not import a file, given relative to the root of the checkout. */
function refuseFile(name: string, module: string, target: string): string | undefined {
  const own = PACKAGES[name] as Package;
  if (isIn(target, `${name}/src`))
    return betweenModules(own, module, target.slice(`${name}/src/`.length).split('/')[0] ?? '');
  const isPackaged = isIn(target, name) && !isIn(target, `${name}/test`);
  return isPackaged
    ? undefined
    : `${module} must not import ${target}, which is not in the package`;
}

/** Returns why a module must not import a package, ours or another. */
function refusePackage(name: string, module: string, target: string): string | undefined {
  const own = PACKAGES[name] as Package;
  if (target === CONTRACT)
    return own.sharedFiles.includes(module) && !own.hasContractInSharedFiles
      ? betweenModules(own, module, target)
      : undefined;
  if (isOurs(target))
    return own.ours[target]?.includes(module)
      ? undefined
      : `${module} must not import ${target}: ${own.knows}`;
  if (name !== SERVER) return undefined;
  const restricted = DEPENDENCIES.find((each) => each.name.test(target));
  return restricted && !allows(restricted.may, module)
    ? `${module} must not import ${target}`
    : undefined;
}

/** The package and the module of a file that has boundaries. */
function findModule(file: string): { name: string; module: string } | undefined {
  const [, name = '', module = ''] = /^(packages\/[^/]+)\/src\/([^/]+)/.exec(file) ?? [];
  return PACKAGES[name] && { name, module };
}

/**
 * Returns why `file` must not import `specifier`, or undefined when it may.
 * @param file relative to the root of the checkout, with `/`.
 */
function refusal(file: string, specifier: string): string | undefined {
  const isFile = /^\.{0,2}\//.test(specifier);
  const target = isFile
    ? relative(ROOT, join(ROOT, dirname(file), specifier)).replaceAll(sep, '/')
    : findPackageName(specifier);

  const within = findModule(file);
  if (within) return (isFile ? refuseFile : refusePackage)(within.name, within.module, target);

  for (const [own, knows] of BLACK_BOXES) {
    if (!isIn(file, own)) continue;
    const isAlien = isFile ? isIn(target, 'packages') : isOurs(target);
    return isAlien ? `${own} must not import ${target}: it knows ${knows} alone` : undefined;
  }
  for (const [own, may] of [
    ['packages/contract', []],
    ['packages/sample', [CONTRACT]],
    ['packages/postgres', []],
    ['packages/client', [CONTRACT]],
    ['packages/formats', [CONTRACT, CLIENT]],
    ['packages/cli', [CONTRACT, CLIENT, '@tillroll/formats']],
  ] as const) {
    if (!isIn(file, own)) continue;
    const isAlien = isFile
      ? !isIn(target, own)
      : isOurs(target) && !(may as readonly string[]).includes(target);
    return isAlien ? `${own} must not import ${target}` : undefined;
  }
  return undefined;
}

function create(context: LintContext) {
  const file = relative(ROOT, context.filename).replaceAll(sep, '/');
  const hasModule = findModule(file) !== undefined;
  return importVisitors((node, specifier) => {
    if (specifier === undefined) {
      if (hasModule)
        context.report({ node, message: 'a computed import: no boundary can be checked' });
      return;
    }
    const message = refusal(file, specifier);
    if (message !== undefined) context.report({ node, message });
  });
}

export default {
  meta: { name: 'tillroll' },
  rules: {
    'import-boundaries': { meta: { type: 'problem' }, create },
    'import-cycles': importCycles,
  },
};
