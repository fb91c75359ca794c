/** Detects what a terminal can show, and draws bars for it. */
import { styleText } from 'node:util';
import type { Context } from '../context.ts';

/** The abilities of a terminal. */
export interface Terminal {
  /** True when lines can be drawn over. */
  live: boolean;
  /** Characters in a line. */
  width: number;
  /** Characters of a bar: full and empty. */
  blocks: readonly [string, string];
  paint(style: 'green' | 'red' | 'yellow' | 'dim', text: string): string;
}

/** The width where the output is not a terminal, or one that does not tell its size. */
export const PLAIN_WIDTH = 80;
/** Longer lines are harder to read. */
export const MAX_WIDTH = 120;

export function detectTerminal({ stderr, env }: Pick<Context, 'stderr' | 'env'>): Terminal {
  const live = stderr.isTTY === true && env['TERM'] !== 'dumb';
  return {
    live,
    width: Math.min(MAX_WIDTH, (stderr.isTTY ? stderr.columns : PLAIN_WIDTH) || PLAIN_WIDTH),
    blocks: hasUnicode(env) ? ['\u2588', '\u2591'] : ['#', '.'],
    // Respects NO_COLOR and FORCE_COLOR, and knows streams that are not a terminal.
    paint: (style, text) => styleText(style, text, { stream: stderr }),
  };
}

/** A locale that names another character set shows wrong characters for blocks. */
function hasUnicode(env: NodeJS.ProcessEnv): boolean {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return locale === '' || /utf-?8/i.test(locale);
}

/** Draws a bar of `size` characters. @param fraction 0 to 1. */
export type DrawBar = (fraction: number, size: number) => string;

export function drawBar([full, empty]: Terminal['blocks']): DrawBar {
  return (fraction, size) => {
    const filled = Math.round(Math.min(1, Math.max(0, fraction)) * size);
    return full.repeat(filled) + empty.repeat(size - filled);
  };
}

/** Cuts a text that is too long, and marks the cut. */
export function fit(text: string, width: number): string {
  if (text.length <= width) return text;
  return width <= 0 ? '' : `${text.slice(0, Math.max(0, width - 1))}~`;
}
