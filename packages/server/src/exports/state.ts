/** The state of an export in short: what tells one poll's answer from another's. */
import { createHash } from 'node:crypto';
import type { ExportProgress, ExportStatus } from '@tillroll/contract';
import { isAvailable, type ExportRecord } from './record.ts';

/** The parts of an export of which its `ETag` is made. */
export type ExportState = Pick<
  ExportRecord,
  | 'status'
  | 'percentComplete'
  | 'modifiedTime'
  | 'attempt'
  | 'availableUntil'
  | 'filesDeleted'
  | 'now'
>;

const ENDED: ReadonlySet<ExportStatus> = new Set(['DONE', 'FAILED', 'CANCELED']);

/** Tells whether an export is DONE, FAILED or CANCELED. */
export function hasEnded({ status }: Pick<ExportRecord, 'status'>): boolean {
  return ENDED.has(status);
}

/**
 * The opaque part of the weak ETag of an export: equal states have equal texts. The URLs of files are not part of it:
 * each read signs them anew, for the same files.
 * @param progress shown by a read that asks for it.
 */
export function stateTag(state: ExportState, progress: ExportProgress | null = null): string {
  const { status, percentComplete, modifiedTime, attempt, availableUntil } = state;
  const shown = [
    status,
    percentComplete,
    modifiedTime,
    attempt,
    availableUntil,
    isAvailable(state),
    ...(progress ? [progress.queuePosition, progress.objects] : []),
  ];
  return createHash('sha256').update(shown.join(' ')).digest('base64url').slice(0, 22);
}
