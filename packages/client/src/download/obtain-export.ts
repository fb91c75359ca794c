/** Creates an export, or continues an earlier one, and waits until it is DONE. */
import type { ExportObject, ExportRequest } from '@tillroll/contract';
import type { ExportApi } from '../api/export-api.ts';
import type { WaitOptions } from '../api/call-options.ts';
import { ERRORS, ExportError } from '../errors.ts';
import { announceAndWait, backoffMs } from '../http/retry.ts';

/** Options of `obtainExport`. */
export interface ObtainOptions extends WaitOptions {
  /** An export that an earlier run asked for; replaced by a new one when it can no longer be used. */
  exportId?: string | undefined;
  /** Called with the id of each export that was created, before it is waited for. */
  onCreated?: ((exportId: string) => Promise<void>) | undefined;
}

/**
 * Asks for an export and waits until it is DONE. One that FAILED or was forgotten is asked for again,
 * `retry.exports` times in all.
 * @throws ExportError EXPORT_FAILED, NOT_FOUND, TIMEOUT, UNAVAILABLE, ...
 */
export async function obtainExport(
  api: ExportApi,
  request: ExportRequest,
  { exportId, onCreated, ...waiting }: ObtainOptions = {},
): Promise<ExportObject> {
  const { retry } = api;
  const earlier = exportId === undefined ? undefined : await findUsable(api, exportId, waiting);
  if (earlier) return earlier;
  for (let attempt = 1; ; attempt++) {
    const created = await api.create(request, waiting);
    await onCreated?.(created.id);
    try {
      return await api.wait(created.id, waiting);
    } catch (error) {
      if (!isUnresumable(error) || attempt >= retry.exports) throw error;
      const wait = {
        reason: 'retry',
        ms: backoffMs(attempt, retry),
        message: error.message,
      } as const;
      await announceAndWait(wait, { signal: waiting.signal, onWaiting: waiting.onWaiting });
    }
  }
}

async function findUsable(
  api: ExportApi,
  exportId: string,
  waiting: WaitOptions,
): Promise<ExportObject | undefined> {
  try {
    const exported = await api.wait(exportId, waiting);
    return exported.exportUrls ? exported : undefined;
  } catch (error) {
    if (!isUnresumable(error)) throw error;
    return undefined;
  }
}

/** Tells whether a failure is one that a new export may not repeat. */
function isUnresumable(error: unknown): error is ExportError {
  return error instanceof ExportError && !ERRORS[error.code].isResumable;
}
