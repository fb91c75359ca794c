import type { ExportObject, ExportRequest } from '@tillroll/contract';
import type { ExportClient, WaitOptions } from './client.ts';
import { ExportError, type ErrorCode } from './errors.ts';
import { backoffMs } from './http/backoff.ts';

export interface ExportRangeOptions extends WaitOptions {
  /** Told of the export's id as soon as there is one. */
  onCreated?: ((exportId: string) => Promise<void>) | undefined;
}

/** What becomes of an export that was accepted and may become otherwise of the next one. */
const MAY_PASS: ReadonlySet<ErrorCode> = new Set(['EXPORT_FAILED', 'NOT_FOUND']);

/** From asking to DONE. An export that FAILED, or was forgotten, is asked for again, a few times. */
export async function exportRange(
  client: ExportClient,
  request: ExportRequest,
  { onCreated, ...waiting }: ExportRangeOptions = {},
): Promise<ExportObject> {
  const { retry } = client.transport;
  for (let attempt = 1; ; attempt++) {
    const created = await client.create(request, { signal: waiting.signal });
    await onCreated?.(created.id);
    try {
      return await client.wait(created.id, waiting);
    } catch (error) {
      const mayPass = error instanceof ExportError && MAY_PASS.has(error.code);
      if (!mayPass || attempt >= retry.exports) throw error;
      await client.transport.wait(
        'retry',
        backoffMs(attempt, retry),
        error.message,
        waiting.signal,
      );
    }
  }
}
