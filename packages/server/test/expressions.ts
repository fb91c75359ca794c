import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSafe } from 'redos-detector';
import { parseAst } from 'rolldown/parseAst';

/** A regular expression in the sources, or a place where one is made of something computed. */
export interface Expression {
  /** `file:line` */
  readonly at: string;
  /** Null when it is computed, so that nobody can judge it. */
  readonly pattern: RegExp | null;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [member: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return (
    typeof value === 'object' && value !== null && typeof Reflect.get(value, 'type') === 'string'
  );
}

function* nodesBelow(value: unknown): Generator<Node> {
  if (isNode(value)) yield value;
  if (typeof value !== 'object' || value === null || value instanceof RegExp) return;
  for (const member of Object.values(value)) yield* nodesBelow(member);
}

/** These methods make an expression of a string that they are given. */
const MAKING = new Set(['match', 'matchAll', 'search']);

/** A text that is known without running the program. */
function constantText(node: unknown): string | null {
  if (!isNode(node)) return null;
  if (node.type === 'Literal' && typeof node['value'] === 'string') return node['value'];
  if (node.type === 'TemplateLiteral' && (node['expressions'] as unknown[]).length === 0) {
    const [quasi] = node['quasis'] as { value: { cooked: string } }[];
    return quasi?.value.cooked ?? null;
  }
  return null;
}

function isExpression(node: unknown): boolean {
  return isNode(node) && node.type === 'Literal' && Reflect.has(node, 'regex');
}

/** The expression that a call makes of its arguments; undefined when it makes none. */
function made(node: Node): RegExp | null | undefined {
  if (node.type !== 'CallExpression' && node.type !== 'NewExpression') return undefined;
  const callee = node['callee'] as Node;
  const [first, second] = node['arguments'] as unknown[];
  const text = constantText(first);
  if (callee.type === 'Identifier' && callee['name'] === 'RegExp') {
    const flags = second === undefined ? '' : constantText(second);
    return text === null || flags === null ? null : new RegExp(text, flags);
  }
  if (callee.type !== 'MemberExpression') return undefined;
  const method = callee['computed'] === true ? null : (callee['property'] as Node)['name'];
  if (!MAKING.has(String(method)) || isExpression(first)) return undefined;
  // A name may stand for an expression, which is judged where it is written, or for a text.
  return text === null ? null : new RegExp(text);
}

/** The expressions of one file's text. */
export function* expressionsIn(text: string, file: string): Generator<Expression> {
  for (const node of nodesBelow(parseAst(text, { lang: 'ts' }))) {
    const at = `${file}:${text.slice(0, node.start).split('\n').length}`;
    const literal = node['regex'] as { pattern: string; flags: string } | undefined;
    if (node.type === 'Literal' && literal) {
      yield { at, pattern: new RegExp(literal.pattern, literal.flags) };
    }
    const pattern = made(node);
    if (pattern !== undefined) yield { at, pattern };
  }
}

/** The expressions of all TypeScript files below a directory. */
export async function expressionsBelow(directory: string): Promise<Expression[]> {
  const files = (await readdir(directory, { recursive: true })).filter((name) =>
    name.endsWith('.ts'),
  );
  const found = await Promise.all(
    files.map(async (name) => [
      ...expressionsIn(await readFile(join(directory, name), 'utf8'), join(directory, name)),
    ]),
  );
  return found.flat();
}

/** Steps back that an expression may ever take at one place of a text, however long it is. */
const MAX_STEPS_BACK = 10_000;

/** Tells whether the time of an expression grows with the length of the text, and not faster. */
export function isLinear(pattern: RegExp): boolean {
  // Not all flags are known to the checker; g and y change nothing of the cost of one match.
  const flags = pattern.flags.replaceAll(/[gyd]/g, '');
  return isSafe(new RegExp(pattern.source, flags), {
    maxScore: MAX_STEPS_BACK,
    // An expression that takes the checker longer counts as unsafe.
    maxSteps: 20_000,
    timeout: 60_000,
  }).safe;
}
