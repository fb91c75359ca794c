import type { PullEvent, RangeProgress } from '@tillroll/client/files';
import { durationInWords } from '../durations.ts';
import { byteSize, count, counted } from '../numbers.ts';

export type Waiting = Pick<
  Extract<PullEvent, { event: 'waiting' }>,
  'reason' | 'until' | 'opens' | 'message'
>;

/** `10:00 UTC` on the same day, `Tue 2026-08-04 01:00 UTC` on another. */
export function clock(time: number, now: number): string {
  const iso = new Date(time).toISOString();
  const day = iso.slice(0, 10);
  const hour = `${iso.slice(11, 16)} UTC`;
  if (day === new Date(now).toISOString().slice(0, 10)) return hour;
  const weekday = new Intl.DateTimeFormat('en-US', { weekday: 'short', timeZone: 'UTC' });
  return `${weekday.format(time)} ${day} ${hour}`;
}

/** What it waits for, and for how long. */
export function waitingText(waiting: Waiting, now: number): string {
  const { reason, until, opens, message } = waiting;
  const inWords = durationInWords(until - now);
  switch (reason) {
    case 'hours':
      return opens === null
        ? `closed; asking again in ${inWords}`
        : `closed until ${clock(opens, now)} (in ${durationInWords(opens - now)})`;
    case 'busy':
      return `busy; asking again in ${inWords} (${message})`;
    case 'rate':
      return `asked to slow down; going on in ${inWords}`;
    case 'retry':
      return `trying again in ${inWords} (${message})`;
  }
}

/** What has come of a range, or where it stands; empty for one that has nothing to tell yet. */
export function rangeText(range: RangeProgress): string {
  const { stage, percent, files, filesTotal, objects, bytes, message } = range;
  switch (stage) {
    case 'planned':
    case 'creating':
      return message ?? '';
    case 'exporting':
    case 'merging':
      return `${Math.floor(percent)} %`;
    case 'downloading':
      return `${Math.floor(percent)} %, ${count(files)}${filesTotal === null ? '' : ` of ${count(filesTotal)}`} files, ${counted(objects, 'object')}`;
    case 'done':
    case 'kept':
      return `${counted(objects, 'object')}, ${byteSize(bytes)}`;
    case 'failed':
      return message ?? 'no reason given';
  }
}

export const STAGE_NAMES: Readonly<Record<RangeProgress['stage'], string>> = {
  planned: 'planned',
  creating: 'asking',
  exporting: 'exporting',
  downloading: 'downloading',
  merging: 'merging',
  done: 'done',
  kept: 'complete before',
  failed: 'failed',
};
