/** Time zones and times to test with. */

import fc from 'fast-check';
import { Zone } from '../src/time/zone.ts';

export const DAY = 86_400_000;
export const MINUTE = 60_000;

export const NAMES = [
  'UTC',
  'Europe/Berlin',
  'Europe/London',
  'America/New_York',
  'America/Sao_Paulo',
  'America/St_Johns',
  'America/Havana',
  'America/Asuncion',
  'Africa/Cairo',
  'Africa/Casablanca',
  'Africa/Monrovia',
  'Asia/Beirut',
  'Asia/Amman',
  'Asia/Gaza',
  'Asia/Kathmandu',
  'Asia/Tehran',
  'Australia/Lord_Howe',
  'Antarctica/Troll',
  'Pacific/Apia',
  'Pacific/Kiritimati',
  'Pacific/Kwajalein',
  'Pacific/Chatham',
] as const;

/** All zones that this Node knows: some in each run, by name. */
export const EVERY_NAME = Intl.supportedValuesOf('timeZone');

const ZONES = NAMES.map((name) => new Zone(name));

export const zone = fc.constantFrom(...ZONES);

export const anyZone = fc.oneof(
  zone,
  fc.constantFrom(...EVERY_NAME).map((name) => new Zone(name)),
);

/** 1970 to 2100; more often than not close to where clocks are changed. */
export const time = fc.oneof(
  fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) }),
  fc
    .tuple(
      fc.integer({ min: 1970, max: 2100 }),
      fc.integer({ min: 0, max: 11 }),
      fc.integer({ min: -3 * 24 * 4, max: 3 * 24 * 4 }),
      fc.constantFrom(-1, 0, 1, 12_345),
    )
    .map(
      ([year, month, quarters, more]) => Date.UTC(year, month, 1) + quarters * 15 * MINUTE + more,
    )
    .filter((at) => at >= 0),
);

export function iso(at: number): string {
  return new Date(at).toISOString();
}
