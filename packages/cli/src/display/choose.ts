import type { Context } from '../context.ts';
import { SILENT, type Display } from './display.ts';
import { jsonDisplay } from './json.ts';
import { plainDisplay } from './plain.ts';
import { terminalOf } from './terminal.ts';

export interface DisplayFlags {
  plain?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/**
 * The display that fits where the output goes.
 * @param converts whether tables are made of the ranges at the end.
 */
export async function chooseDisplay(
  context: Context,
  flags: DisplayFlags,
  converts: boolean,
): Promise<Display> {
  if (flags.json) return jsonDisplay(context);
  if (flags.quiet) return SILENT;
  const terminal = terminalOf(context);
  if (flags.plain || !terminal.live) return plainDisplay((line) => context.stderr.write(line));
  // The library of the bars is loaded only where there is a terminal.
  const { barDisplay } = await import('./bars.ts');
  return barDisplay(context.stderr, terminal, converts);
}
