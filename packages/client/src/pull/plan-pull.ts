/** Plans a whole pull: its end, and the work for each type. */
import type { TimeRange } from '@tillroll/contract';
import type { State, TypeState } from '../directory/state.ts';
import type { ExportApi } from '../api/export-api.ts';
import { ExportError, usageError } from '../errors.ts';
import type { OnWaiting } from '../http/retry.ts';
import { formatInstant, parseWhen } from '../time/span.ts';
import type { Zone } from '../time/zone.ts';
import type { PullOptions } from './types.ts';
import { chooseTypes } from './options.ts';
import { findCoveredSpan, planType, type TypePlan } from './plan-type.ts';
import type { DamagedMonths } from './repair.ts';

/** The context of `chooseEnd`. */
export interface EndContext {
  api: ExportApi;
  /** The state of the directory. */
  state: Pick<State, 'types'>;
  zone: Zone;
  signal: AbortSignal;
  onWaiting: OnWaiting;
  warn: (message: string) => void;
}

/** Chooses the end of the span: the one that was asked for, but not in the future by the server's clock. @throws ExportError */
export async function chooseEnd(
  { api, state, zone, signal, onWaiting, warn }: EndContext,
  { to }: Pick<PullOptions, 'to'>,
): Promise<number> {
  const asked = to === undefined ? Infinity : parseWhen('to', to, zone);
  // A span that an earlier pull covered is in the past: such a pull may need no server at all.
  if (Object.values(state.types).some(({ wanted }) => asked <= wanted.endTime)) return asked;
  // The hours matter little here: the answer carries the server's clock.
  await api.availability({ signal, onWaiting }).catch((error: unknown) => {
    if (!(error instanceof ExportError)) throw error;
    // Without a status, the connection failed: no export API is there.
    const isWrongServer = error.code === 'REFUSED' && error.status === undefined;
    if (isWrongServer || ['NETWORK', 'INTERRUPTED'].includes(error.code)) throw error;
  });
  const now = Math.floor(api.clock.now() / 1000) * 1000;
  if (asked <= now) return asked;
  if (to === undefined) return now;
  warn(`to is in the future; the pull ends now, at ${formatInstant(now)}`);
  return now;
}

/** The facts that a plan follows from. */
export interface PullPlanInput {
  options: Pick<PullOptions, 'types' | 'from' | 'sinceLast' | 'out'>;
  overlapMs: number;
  state: State;
  zone: Zone;
  /** End of the span, epoch ms. */
  endTime: number;
  damaged: DamagedMonths;
}

/** Plans a pull from its options and the directory's state. @throws ExportError USAGE */
export function planPull(input: PullPlanInput): TypePlan[] {
  const { options, state, zone, damaged } = input;
  return chooseTypes(options, state).map((type) => {
    const known = state.types[type];
    if (options.sinceLast && !known)
      throw usageError(
        `needs a pull before it: ${options.out} holds no ${type.toLowerCase()} yet`,
        { option: 'sinceLast', hint: 'Pull a span first; later pulls can continue it' },
      );
    const span =
      options.sinceLast && known
        ? continueSpan(known, input)
        : { wanted: parseWanted(input), refreshFrom: known?.refreshFrom ?? null };
    return planType({ type, state: known, zone, damaged: damaged[type], ...span });
  });
}

function parseWanted({ options, zone, endTime }: PullPlanInput): TimeRange {
  const startTime = parseWhen('from', options.from ?? 0, zone);
  if (startTime >= endTime)
    throw usageError(
      `must lie in the past; got ${formatInstant(startTime)}, and it is ${formatInstant(endTime)}`,
      { option: 'from' },
    );
  return { startTime, endTime };
}

/** Continues the directory's span to now. Its last `overlapMs` are fetched again. */
function continueSpan(
  known: TypeState,
  { overlapMs, endTime }: PullPlanInput,
): { wanted: TimeRange; refreshFrom: number } {
  const { startTime } = known.wanted;
  const coveredTo = findCoveredSpan(known)?.endTime ?? startTime;
  const overlap = Math.max(startTime, coveredTo - overlapMs);
  return {
    wanted: { startTime, endTime: Math.max(endTime, coveredTo) },
    refreshFrom: Math.min(overlap, known.refreshFrom ?? overlap),
  };
}
