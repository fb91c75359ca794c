/** `preview`: tells what a pull would do. */
import type { ExportType, TimeRange } from '@tillroll/contract';
import type { ExportApi } from '../api/export-api.ts';
import { findDamaged } from '../directory/damage.ts';
import { linesPath, type Format } from '../directory/layout.ts';
import { emptyState } from '../directory/state.ts';
import { Zone } from '../time/zone.ts';
import { chooseDirectory } from './choose-directory.ts';
import type { PullOptions } from './types.ts';
import { chooseEnd, planPull } from './plan-pull.ts';

/** One month of a pull that was not begun. Times are epoch ms, half-open. */
export interface PlannedMonth extends TimeRange {
  type: ExportType;
  /** `2026-01`. */
  month: string;
  /** The JSON lines, relative to the directory. */
  path: string;
  /** True when the file is there and complete: nothing would be fetched. */
  isComplete: boolean;
  /** Objects that are there already. */
  objects: number;
  /** The exports that would be made; with an `id` where an earlier pull made it. */
  exports: (TimeRange & { id: string | null })[];
}

/** The plan of a pull that was not begun. */
export interface PullPreview {
  /** Epoch ms. */
  from: number;
  to: number;
  timezone: string;
  /** Absolute. */
  out: string;
  format: Format;
  months: PlannedMonth[];
  warnings: string[];
}

/**
 * Plans a pull and does nothing: no export is made, and nothing is written. The server is asked for its clock.
 * @throws ExportError as `pull` does for its options and its directory.
 */
export async function previewPull(api: ExportApi, options: PullOptions): Promise<PullPreview> {
  const { checked, out, settings, state: found } = await chooseDirectory(api, options);
  const state = { ...(found ?? emptyState(settings)), ...settings };
  const zone = new Zone(settings.timezone);
  const warnings: string[] = [];
  const { signal = new AbortController().signal, onProgress } = options;
  const endTime = await chooseEnd(
    {
      api,
      state,
      zone,
      signal,
      onWaiting: (waiting) => onProgress?.({ event: 'waiting', ...waiting }),
      warn: (message) => void warnings.push(message),
    },
    options,
  );
  const damaged = { ORDERS: new Set<string>(), PAYMENTS: new Set<string>() };
  for (const { type, month, isLines } of await findDamaged(out, state))
    if (isLines) damaged[type].add(month);
  const { overlapMs } = checked;
  const plans = planPull({ options, overlapMs, state, zone, endTime, damaged });
  return {
    from: Math.min(...plans.map(({ span }) => span.startTime)),
    to: Math.max(...plans.map(({ span }) => span.endTime)),
    timezone: zone.name,
    out,
    format: settings.format,
    months: plans.flatMap(({ months }) =>
      months.map(({ type, month, span, existing, ranges }) => ({
        type,
        month,
        path: linesPath(settings, type, month),
        ...span,
        isComplete: ranges.length === 0,
        objects: existing?.lines.objects ?? 0,
        exports: ranges.map(({ exportId, ...range }) => ({ ...range, id: exportId ?? null })),
      })),
    ),
    warnings,
  };
}
