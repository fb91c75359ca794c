/** The display for programs: each event as one JSON object a line. */
import type { Context } from '../context.ts';
import { safeJson } from '../print.ts';
import type { Display } from './display.ts';

/** Writes one JSON object a line on stdout, with its time. */
export function printEvent({ stdout }: Pick<Context, 'stdout'>, event: object): void {
  stdout.write(`${safeJson({ at: Date.now(), ...event })}\n`);
}

/** The library's events for programs. */
export function jsonDisplay(context: Pick<Context, 'stdout'>): Display {
  return { event: (event) => printEvent(context, event), stop: () => undefined };
}
