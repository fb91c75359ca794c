import type { Context } from '../context.ts';
import type { Display } from './display.ts';

/** One JSON object a line on stdout, for programs: each event as the library tells it, and when. */
export function jsonDisplay({ stdout }: Pick<Context, 'stdout'>, now = Date.now): Display {
  return {
    event: (event) => void stdout.write(`${JSON.stringify({ at: now(), ...event })}\n`),
    stop: () => undefined,
  };
}
