import type { Context } from '../context.ts';

/** JSON on stdout: one line for programs, indented for whoever reads it on a terminal. */
export function printJson({ stdout }: Pick<Context, 'stdout'>, value: unknown): void {
  stdout.write(`${JSON.stringify(value, null, stdout.isTTY ? 2 : undefined)}\n`);
}
