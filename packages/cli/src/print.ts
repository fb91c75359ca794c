/** Prints text and JSON on stdout, safe for a terminal. */
import { stringifyExact } from '@tillroll/contract';
import type { Context } from './context.ts';

/** Characters that JSON.stringify leaves as they are and a terminal may obey: DEL, C1, line separators, bidi controls. */
const UNSAFE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** JSON in which no character controls a terminal. Such characters occur in texts alone, where an escape means the same. */
export function safeJson(value: unknown, indent?: number): string {
  return stringifyExact(value, indent).replaceAll(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Prints lines of text on stdout. */
export function printLines({ stdout }: Pick<Context, 'stdout'>, lines: readonly string[]): void {
  stdout.write(lines.map((line) => `${line}\n`).join(''));
}

/** Prints JSON on stdout: on one line for programs, indented on a terminal. */
export function printJson({ stdout }: Pick<Context, 'stdout'>, value: unknown): void {
  stdout.write(`${safeJson(value, stdout.isTTY ? 2 : undefined)}\n`);
}
