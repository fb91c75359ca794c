import { join } from 'node:path';
import { EXPORT_TYPES, type ExportType, type TimeRange } from '@tillroll/contract';
import type { ConvertedFormat, Format } from './pull-types.ts';

/** Where things are in an output directory. No name in it comes from the far side. */

/** What a pull keeps for itself. */
export const OWN = '.tillroll';
export const JOURNAL = `${OWN}/state.jsonl`;
export const LOCK = `${OWN}/lock`;
/** Pieces that are merged into a range before anybody sees them. */
export const INCOMING = `${OWN}/incoming`;
/** What is being merged, until it is moved to its place. */
export const MERGE = `${OWN}/merge`;
export const PART = '.part';

export interface TypedRange extends TimeRange {
  type: ExportType;
}

/** `ORDERS/1767225600000-1769817600000` */
export function rangeKey({ type, startTime, endTime }: TypedRange): string {
  return `${type}/${startTime}-${endTime}`;
}

/** @param key as `rangeKey` made it. */
export function rangeOfKey(key: string): TypedRange {
  const [type = '', span = ''] = key.split('/');
  const [startTime, endTime] = span.split('-').map(Number);
  return { type: type as ExportType, startTime: startTime ?? 0, endTime: endTime ?? 0 };
}

/** Midnight as a date, anything else with its time, always UTC and without what file systems refuse. */
function nameOf(time: number): string {
  const iso = new Date(time).toISOString();
  if (iso.endsWith('T00:00:00.000Z')) return iso.slice(0, 10);
  return iso.replaceAll(':', '-').replace('.000Z', 'Z');
}

/** `2026-01-01_2026-01-31` */
export function rangeName({ startTime, endTime }: TimeRange): string {
  return `${nameOf(startTime)}_${nameOf(endTime)}`;
}

export function folderOf(type: ExportType): string {
  return type.toLowerCase();
}

/** `orders/2026-01-01_2026-01-31`, as people see it. */
export function shownRange(range: TypedRange): string {
  return `${folderOf(range.type)}/${rangeName(range)}`;
}

export interface Layout {
  /** Absolute. */
  out: string;
  format: Format;
  gzip: boolean;
}

/** Whether objects are kept as they were served, file by file. */
export function isServed({ format }: Pick<Layout, 'format'>): boolean {
  return format === 'json';
}

/** Tables are made of JSON lines, which are kept where they do not stand in the way. */
export function isConverted(format: Format): format is ConvertedFormat {
  return format !== 'json' && format !== 'jsonl';
}

export type Place = 'final' | 'incoming';

function home(layout: Layout, place: Place): string {
  if (place === 'incoming') return `${INCOMING}/`;
  return isConverted(layout.format) ? `${OWN}/objects/` : '';
}

/** The JSON lines of a range, relative to `out`. */
export function linesPath(layout: Layout, place: Place, range: TypedRange): string {
  return `${home(layout, place)}${shownRange(range)}.jsonl${layout.gzip ? '.gz' : ''}`;
}

/** The folder of a range's files as served, relative to `out`. */
export function servedFolder(layout: Layout, place: Place, range: TypedRange): string {
  return `${home(layout, place)}${shownRange(range)}`;
}

/** A file as served. */
export function servedPath(layout: Layout, folder: string, position: number): string {
  return `${folder}/${String(position).padStart(4, '0')}.json${layout.gzip ? '.gz' : ''}`;
}

export function absolute({ out }: Pick<Layout, 'out'>, path: string): string {
  return join(out, ...path.split('/'));
}

/** Orders come before payments, and earlier before later. */
export function byTypeAndTime(a: TypedRange, b: TypedRange): number {
  return EXPORT_TYPES.indexOf(a.type) - EXPORT_TYPES.indexOf(b.type) || a.startTime - b.startTime;
}
