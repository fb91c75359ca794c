/** Chooses how the progress of a pull is shown: drawn, in lines, as JSON, or not at all. */
import type { Context } from '../context.ts';
import { SILENT, type Display } from './display.ts';
import { jsonDisplay } from './json.ts';
import { plainDisplay } from './plain.ts';
import { detectTerminal } from './terminal.ts';

export interface DisplayFlags {
  plain?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/** The display for the options and the kind of output. */
export async function chooseDisplay(context: Context, flags: DisplayFlags): Promise<Display> {
  if (flags.json) return jsonDisplay(context);
  if (flags.quiet) return SILENT;
  const terminal = detectTerminal(context);
  if (flags.plain || !terminal.live) return plainDisplay((line) => context.stderr.write(line));
  // log-update is loaded only on a terminal.
  const { liveDisplay } = await import('./live.ts');
  return liveDisplay(context, terminal);
}
