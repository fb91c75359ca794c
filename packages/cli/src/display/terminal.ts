import { styleText } from 'node:util';
import type { Context } from '../context.ts';

/** What a terminal can show. */
export interface Terminal {
  /** Whether lines can be drawn over. */
  live: boolean;
  /** Characters in a line. */
  width: number;
  /** Characters of a bar: full and empty. */
  blocks: readonly [string, string];
  paint(style: 'green' | 'red' | 'yellow' | 'dim', text: string): string;
}

/** Where output is no terminal, as wide as most are. */
const PLAIN_WIDTH = 80;
/** A very wide terminal is read no better. */
const MAX_WIDTH = 120;

export function terminalOf({ stderr, env }: Context): Terminal {
  const live = stderr.isTTY === true && env['TERM'] !== 'dumb';
  return {
    live,
    width: Math.min(MAX_WIDTH, (stderr.isTTY ? stderr.columns : PLAIN_WIDTH) || PLAIN_WIDTH),
    blocks: hasUnicode(env) ? ['\u2588', '\u2591'] : ['#', '.'],
    // Knows NO_COLOR, FORCE_COLOR and streams that are no terminal.
    paint: (style, text) => styleText(style, text, { stream: stderr }),
  };
}

/** A locale that names another character set shows blocks as rubbish; most that name none do not. */
function hasUnicode(env: NodeJS.ProcessEnv): boolean {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return locale === '' || /utf-?8/i.test(locale);
}

/** Cuts a text that is too long, and shows that it did. */
export function fit(text: string, width: number): string {
  if (text.length <= width) return text;
  return width <= 0 ? '' : `${text.slice(0, Math.max(0, width - 1))}~`;
}

/** Breaks a text at blanks into lines of at most `width`; a longer word stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
