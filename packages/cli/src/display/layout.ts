/** Lays out the lines of the live display for the width of a terminal. */
import type { MonthProgress } from '@tillroll/client/files';
import { oneLine } from '../errors.ts';
import { byteSize, count, durationInWords } from '../format.ts';
import type { Size } from './live-area.ts';
import type { Snapshot } from './pull-state.ts';
import { fit, type DrawBar } from './terminal.ts';
import { monthText, STAGE_NAMES, waitingText } from './words.ts';

/** A shorter bar shows nothing. */
const MIN_BAR = 8;
const MAX_BAR = 30;
const MONTH_BAR = 12;

/** Joins parts while they fit. */
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

function percentText(fraction: number): string {
  return `${Math.floor(fraction * 100)} %`.padStart(5);
}

/** The whole pull: bar, percent, months, time left, speed, objects, as far as they fit. */
function overallLine(snapshot: Snapshot, width: number, draw: DrawBar): string {
  const { fraction, ended, total, objects, bytesPerSecond, leftMs, failed } = snapshot;
  const text = join(
    [
      percentText(fraction),
      `${count(ended)}/${count(total)} done`,
      failed === 0 ? '' : `${count(failed)} failed`,
      leftMs === null ? '' : `${durationInWords(leftMs)} left`,
      bytesPerSecond === null ? '' : `${byteSize(bytesPerSecond)}/s`,
      `${count(objects)} objects`,
    ],
    width,
  );
  const room = Math.min(MAX_BAR, width - text.length - 1);
  return room < MIN_BAR ? text : `${draw(fraction, room)} ${text}`;
}

/** One month in progress. */
function monthLine(month: MonthProgress, nameWidth: number, width: number, draw: DrawBar): string {
  const words = oneLine(`${STAGE_NAMES[month.stage]} ${monthText(month)}`);
  const room = width - 2 - nameWidth - 1 - MONTH_BAR - 1;
  const fraction = month.stage === 'creating' ? 0 : month.percent / 100;
  // The percentage comes first when not everything fits.
  if (words.length > room) return fit(`${percentText(fraction)} ${month.name} ${words}`, width);
  return `  ${month.name.padEnd(nameWidth)} ${draw(fraction, MONTH_BAR)} ${words}`;
}

/** All lines of the display: the whole, a few months, and what the pull waits for. */
export function layout(snapshot: Snapshot, size: Size, draw: DrawBar, now: number): string[] {
  const { width, rows } = size;
  const { waiting, converting, active, total } = snapshot;
  const first = total === 0 ? [] : [overallLine(snapshot, width, draw)];
  const last: string[] = [];
  if (waiting) last.push(fit(`  ${oneLine(waitingText(waiting, now))}`, width));
  if (converting)
    last.push(
      fit(`  ${oneLine(`writing ${converting.path} ${percentText(converting.fraction)}`)}`, width),
    );
  const shown = active.slice(0, Math.max(0, rows - first.length - last.length));
  const nameWidth = Math.max(0, ...shown.map(({ name }) => name.length));
  return [
    ...first,
    ...shown.map((month) => monthLine(month, nameWidth, width, draw)),
    ...last,
  ].slice(0, rows);
}
