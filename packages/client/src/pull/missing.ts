import { EXPORT_TYPES } from '@tillroll/contract';
import { DATABASE_FILE } from '../directory/layout.ts';
import { describeBasis, type Missing, type State } from '../directory/state.ts';
import type { Zone } from '../time/zone.ts';
import type { FailedMonth } from './events.ts';
import { subtract } from './ranges.ts';

/** What the directory should hold and does not, by type and time, with the reason where it is known. */
export function listMissing(state: State, zone: Zone, failed: readonly FailedMonth[]): Missing[] {
  const findReason = (name: string): string | undefined =>
    failed.find((other) => other.name === name)?.message;
  const missing = EXPORT_TYPES.flatMap((type) => {
    const known = state.types[type];
    if (!known) return [];
    return zone.months(known.wanted).flatMap((month): Missing[] => {
      const startTime = Math.max(month.startTime, known.wanted.startTime);
      const endTime = Math.min(month.endTime, known.wanted.endTime);
      const covers = known.months[month.name]?.covers ?? [];
      const name = `${type.toLowerCase()}/${month.name}`;
      const reason = findReason(name);
      const isCovered = subtract({ startTime, endTime }, covers).length === 0;
      if (isCovered && reason === undefined) return [];
      return [{ name, type, startTime, endTime, reason: reason ?? 'not fetched yet' }];
    });
  });
  if (state.format !== 'duckdb' || state.database?.basis === describeBasis(state)) return missing;
  const reason = findReason(DATABASE_FILE) ?? 'not made yet';
  return [...missing, { name: DATABASE_FILE, type: null, startTime: null, endTime: null, reason }];
}
