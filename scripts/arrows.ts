/**
 * The arrows between the rooms, as an oxlint rule (`tillroll/arrows`, see .oxlintrc.json): who may
 * import whom. A rule of our own rather than `no-restricted-imports`: that one compares the text
 * between the quotes, this one the file which the text leads to, however many `../` away.
 */
import { dirname, join, relative, sep } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const SERVER = 'packages/server';
const CONTRACT = '@tillroll/contract';
const CLIENT = '@tillroll/client';

/** Files at the root of the server's src that any room may import and that import nothing of ours. */
const LEAVES = [
  'abort.ts',
  'clock.ts',
  'deadline.ts',
  'errors.ts',
  'fair-semaphore.ts',
  'log.ts',
  'watch.ts',
];

type May = readonly string[] | { anythingBut: readonly string[] };

/** The rooms of the server, from the top: what each may import besides itself, leaves and contract. */
const ROOMS: Readonly<Record<string, May>> = {
  'main.ts': { anythingBut: [] },
  'service.ts': { anythingBut: ['main.ts'] },
  start: { anythingBut: ['main.ts', 'service.ts', 'commands'] },
  commands: { anythingBut: ['main.ts', 'http', 'start'] },
  http: ['exports', 'access', 'ingest', 'storage', 'database', 'config.ts'],
  worker: ['exports', 'queue', 'source', 'sink', 'storage', 'database', 'repeats.ts'],
  queue: ['database'],
  exports: ['access', 'database'],
  access: ['database'],
  ingest: ['database'],
  source: ['database'],
  sink: ['storage'],
  storage: [],
  sample: [],
  database: [],
  'config.ts': ['database'],
  'store.ts': ['storage', 'database'],
  'repeats.ts': [],
};

/** Packages that only some rooms of the server may import, or that some may not. */
const PACKAGES: readonly { name: RegExp; may: May }[] = [
  { name: /^(fastify|@fastify\/.+)$/, may: ['http'] },
  { name: /^pg-boss$/, may: ['queue'] },
  { name: /^(pg|pg-copy-streams)$/, may: ['database', 'source', 'ingest', 'queue'] },
  { name: /^@aws-sdk\/.+$/, may: { anythingBut: ['exports'] } },
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
function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function isIn(file: string, folder: string): boolean {
  return file === folder || file.startsWith(`${folder}/`);
}

function isOurs(name: string): boolean {
  return name.startsWith('@tillroll/');
}

function betweenRooms(room: string, to: string): string | undefined {
  if (to === room) return undefined;
  if (LEAVES.includes(room)) return `${room} is a leaf: it imports nothing of ours, so not ${to}`;
  const may = ROOMS[room];
  if (!may) return `${room} is no room yet: give it a place in scripts/arrows.ts`;
  return LEAVES.includes(to) || allows(may, to) ? undefined : `${room} must not import ${to}`;
}

function fromServer(room: string, target: string, isFile: boolean): string | undefined {
  if (isFile) {
    const rooms = `${SERVER}/src`;
    if (isIn(target, rooms))
      return betweenRooms(room, target.slice(rooms.length + 1).split('/')[0] ?? '');
    const isPackaged = isIn(target, SERVER) && !isIn(target, `${SERVER}/test`);
    return isPackaged
      ? undefined
      : `${room} must not import ${target}, which is not in the package`;
  }
  if (target === CONTRACT) return LEAVES.includes(room) ? betweenRooms(room, target) : undefined;
  if (isOurs(target))
    return `${room} must not import ${target}: the server knows the contract alone`;
  const owned = PACKAGES.find(({ name }) => name.test(target));
  return owned && !allows(owned.may, room) ? `${room} must not import ${target}` : undefined;
}

/**
 * Why `file` must not import `specifier`, or undefined when it may.
 * @param file relative to the root of the checkout, with `/`.
 */
function refusal(file: string, specifier: string): string | undefined {
  const isFile = /^\.{0,2}\//.test(specifier);
  const target = isFile
    ? relative(ROOT, join(ROOT, dirname(file), specifier)).replaceAll(sep, '/')
    : packageOf(specifier);

  const room = new RegExp(`^${SERVER}/src/([^/]+)`).exec(file)?.[1];
  if (room !== undefined) return fromServer(room, target, isFile);

  for (const [own, knows] of BLACK_BOXES) {
    if (!isIn(file, own)) continue;
    const isAlien = isFile ? isIn(target, 'packages') : isOurs(target);
    return isAlien ? `${own} must not import ${target}: it knows ${knows} alone` : undefined;
  }
  for (const [own, may] of [
    ['packages/contract', []],
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

/** What this rule needs to know of oxlint's syntax tree. */
interface Node {
  type: string;
  value?: unknown;
  source?: Node | null;
}

interface Context {
  filename: string;
  report(fault: { node: Node; message: string }): void;
}

function create(context: Context) {
  const file = relative(ROOT, context.filename).replaceAll(sep, '/');
  const isRoom = file.startsWith(`${SERVER}/src/`);
  const check = ({ source }: Node): void => {
    if (!source) return;
    if (typeof source.value === 'string') {
      const message = refusal(file, source.value);
      if (message !== undefined) context.report({ node: source, message });
    } else if (isRoom) {
      context.report({ node: source, message: 'a computed import: no arrow can be checked' });
    }
  };
  return {
    ImportDeclaration: check,
    ExportNamedDeclaration: check,
    ExportAllDeclaration: check,
    ImportExpression: check,
    TSImportType: check,
  };
}

export default {
  meta: { name: 'tillroll' },
  rules: { arrows: { meta: { type: 'problem' }, create } },
};
