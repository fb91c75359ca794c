import type { ExportType } from '@tillroll/contract';
import type { Zone } from '../zone.ts';
import type { DoneRange, Journal } from './journal.ts';
import { merge } from './merge.ts';

/**
 * A far side whose ranges include their end gives the objects of that very moment twice: with the range
 * that ends there, and with the one that begins there. They belong to the second. Moves them over, once
 * by id and the newest wins; those at the end of the whole span lie outside of it.
 */
export async function settleEdges(
  journal: Journal,
  type: ExportType,
  zone: Zone,
  signal: AbortSignal,
): Promise<number> {
  let settled = 0;
  for (const range of journal.done('final', type)) {
    // Looked up again: an earlier step may have replaced it.
    const early = journal.get('final', range);
    if (!early || early.tally.edge === 0) continue;
    const late = journal.done('final', type).find(({ startTime }) => startTime === early.endTime);
    if (late) await replace(journal, late, [{ range: late }, edgeOf(early)], zone, signal);
    await replace(
      journal,
      early,
      [{ range: early, keep: (time) => time !== early.endTime }],
      zone,
      signal,
    );
    settled += early.tally.edge;
  }
  return settled;
}

function edgeOf(range: DoneRange): { range: DoneRange; keep: (time: number) => boolean } {
  return { range, keep: (time) => time === range.endTime };
}

async function replace(
  journal: Journal,
  old: DoneRange,
  inputs: { range: DoneRange; keep?: (time: number) => boolean }[],
  zone: Zone,
  signal: AbortSignal,
): Promise<void> {
  const { type, startTime, endTime } = old;
  const { done, moves } = await merge({
    journal,
    inputs,
    into: { type, startTime, endTime },
    zone,
    signal,
  });
  // An export that only lent its edge is not one of this range.
  await journal.rangeDone({ ...done, exports: old.exports }, moves, [old]);
}
