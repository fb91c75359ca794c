import type { RangeProgress } from '@tillroll/client/files';
import { durationInWords } from '../durations.ts';
import { byteSize, count } from '../numbers.ts';
import type { Snapshot } from './state.ts';
import { fit } from './terminal.ts';
import { rangeText, STAGE_NAMES, waitingText } from './words.ts';

/** A bar is drawn only where there is room for one that says something. */
const BAR_LEAST = 8;
const BAR_MOST = 30;
const RANGE_BAR = 12;

/** Draws a bar of so many characters. */
export type DrawBar = (fraction: number, size: number) => string;

/** Adds parts while they fit. */
function join(parts: readonly string[], width: number): string {
  let line = '';
  for (const part of parts) {
    if (part === '') continue;
    const next = line === '' ? part : `${line}  ${part}`;
    if (next.length > width) break;
    line = next;
  }
  return line;
}

function percent(fraction: number): string {
  return `${Math.floor(fraction * 100)} %`.padStart(5);
}

/** The whole pull: bar, percent, time left, ranges, objects, speed, as far as they fit. */
export function overallLine(snapshot: Snapshot, width: number, draw: DrawBar): string {
  const { fraction, ended, total, objects, bytesPerSecond, leftMs, failed } = snapshot;
  const text = join(
    [
      percent(fraction),
      `${count(ended)}/${count(total)} ranges`,
      failed === 0 ? '' : `${count(failed)} failed`,
      leftMs === null ? '' : `${durationInWords(leftMs)} left`,
      bytesPerSecond === null ? '' : `${byteSize(bytesPerSecond)}/s`,
      `${count(objects)} objects`,
    ],
    width,
  );
  const room = Math.min(BAR_MOST, width - text.length - 1);
  return room < BAR_LEAST ? text : `${draw(fraction, room)} ${text}`;
}

/** One range that is being worked on. */
export function rangeLine(
  range: RangeProgress,
  nameWidth: number,
  width: number,
  draw: DrawBar,
): string {
  const name = range.name.padEnd(nameWidth);
  const words = `${STAGE_NAMES[range.stage]} ${rangeText(range)}`.trim();
  const room = width - 2 - nameWidth - 1 - RANGE_BAR - 1;
  const fraction = range.stage === 'creating' ? 0 : range.percent / 100;
  // Too narrow for all of it: what moves comes first.
  if (words.length > room) return fit(`${percent(fraction)} ${range.name} ${words}`, width);
  return `  ${name} ${draw(fraction, RANGE_BAR)} ${words}`;
}

/**
 * All lines of the display: the whole, a handful of ranges, and what it waits for.
 * @param rows how many lines there may be.
 */
export function layout(
  snapshot: Snapshot,
  size: { width: number; rows: number },
  draw: DrawBar,
  now: number,
): string[] {
  const { width } = size;
  const last: string[] = [];
  if (snapshot.waiting) last.push(fit(`  ${waitingText(snapshot.waiting, now)}`, width));
  const { converting } = snapshot;
  if (converting)
    last.push(fit(`  writing ${converting.path} ${percent(converting.fraction).trim()}`, width));
  const room = Math.max(0, size.rows - 1 - last.length);
  const shown = snapshot.active.slice(0, room);
  const nameWidth = Math.max(0, ...shown.map(({ name }) => name.length));
  return [
    overallLine(snapshot, width, draw),
    ...shown.map((range) => rangeLine(range, nameWidth, width, draw)),
    ...last,
  ].slice(0, Math.max(1, size.rows));
}
