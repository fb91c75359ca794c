/** Phrases about a pull's progress that all displays share. */
import type { Waiting } from '@tillroll/client';
import type { MonthProgress } from '@tillroll/client/files';
import { byteSize, count, counted, durationInWords } from '../format.ts';

/** `10:00 UTC` on the same day, `Tue 2026-08-04 01:00 UTC` on another. */
export function clock(time: number, now: number): string {
  const iso = new Date(time).toISOString();
  const day = iso.slice(0, 10);
  const hour = `${iso.slice(11, 16)} UTC`;
  if (day === new Date(now).toISOString().slice(0, 10)) return hour;
  const weekday = new Intl.DateTimeFormat('en-US', { weekday: 'short', timeZone: 'UTC' });
  return `${weekday.format(time)} ${day} ${hour}`;
}

/** Says why a pull waits, and for how long. */
export function waitingText(waiting: Waiting, now: number): string {
  const { reason, until, opens, message } = waiting;
  const duration = durationInWords(until - now);
  switch (reason) {
    case 'hours':
      return opens === null
        ? `closed; asking again in ${duration}`
        : `closed until ${clock(opens, now)} (in ${durationInWords(opens - now)})`;
    case 'busy':
      return `busy; asking again in ${duration} (${message})`;
    case 'rate':
      return `the server asked for fewer requests; continuing in ${duration}`;
    case 'retry':
      return `trying again in ${duration} (${message})`;
    case 'lock':
      return message;
  }
}

/** Describes the progress of a month; empty when there is none yet. */
export function monthText(month: MonthProgress): string {
  const { stage, percent, files, filesTotal, objects, bytes, message } = month;
  switch (stage) {
    case 'planned':
    case 'creating':
      return message ?? '';
    case 'exporting':
    case 'assembling':
    case 'converting':
      return `${Math.floor(percent)} %`;
    case 'downloading':
      return `${Math.floor(percent)} %, ${count(files)}${filesTotal === null ? '' : ` of ${count(filesTotal)}`} files, ${counted(objects, 'object')}`;
    case 'done':
      return `${counted(objects, 'object')}, ${byteSize(bytes)} received`;
    case 'kept':
      return counted(objects, 'object');
    case 'failed':
      return message ?? 'no reason given';
  }
}

export const STAGE_NAMES: Readonly<Record<MonthProgress['stage'], string>> = {
  planned: 'planned',
  creating: 'creating an export',
  exporting: 'exporting',
  downloading: 'downloading',
  assembling: 'assembling',
  converting: 'converting',
  done: 'done',
  kept: 'complete before',
  failed: 'failed',
};
