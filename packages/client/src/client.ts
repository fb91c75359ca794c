import type {
  Availability,
  ExportList,
  ExportObject,
  ExportPreview,
  ExportRequest,
  ExportType,
  Order,
  Payment,
} from '@tillroll/contract';
import { ExportApi } from './api/export-api.ts';
import type {
  Access,
  CallOptions,
  ClientOptions,
  ListOptions,
  WaitOptions,
} from './api/call-options.ts';
import type { IterateOptions } from './download/iterate-objects.ts';
import type { RawFilesOptions, RawFilesResult } from './download/raw-files.ts';
import { interruptedError } from './http/retry.ts';
import type { PullOptions, PullResult } from './pull/types.ts';
import type { LinesOptions, ObjectLine } from './pull/iterate-lines.ts';
import type { PullPreview } from './pull/preview.ts';

/**
 * Creates, follows and downloads exports of one merchant, from Tillroll or from Clover. Every method
 * throws ExportError; its `code` says what kind, its `hint` what to do.
 */
export class ExportClient {
  readonly #api: ExportApi;

  /** @throws ExportError USAGE */
  constructor(options: ClientOptions) {
    this.#api = new ExportApi(options);
  }

  /** The service and the merchant. */
  get source(): { url: string; merchant: string } {
    return this.#api.source;
  }

  /**
   * Asks for an export. Waits while the service is closed or has too many open, for at most three days,
   * unless the client was made with `wait: false`.
   */
  create(request: ExportRequest, call?: CallOptions): Promise<ExportObject> {
    return this.#api.create(request, call);
  }

  /** Fetches an export. */
  show(exportId: string, call?: CallOptions): Promise<ExportObject> {
    return this.#api.show(exportId, call);
  }

  /** Cancels an open export, or deletes the files of one that is DONE. Tillroll only. */
  delete(exportId: string, call?: CallOptions): Promise<ExportObject> {
    return this.#api.delete(exportId, call);
  }

  /** Tells what an export would hold, without creating it. Tillroll only. */
  previewExport(request: ExportRequest, call?: CallOptions): Promise<ExportPreview> {
    return this.#api.previewExport(request, call);
  }

  /** Lists the exports that this install created, newest first. Tillroll only. */
  list(options?: ListOptions): Promise<ExportList> {
    return this.#api.list(options);
  }

  /** Polls until the export is DONE. @throws ExportError EXPORT_FAILED when it ended otherwise, TIMEOUT. */
  wait(exportId: string, options?: WaitOptions): Promise<ExportObject> {
    return this.#api.wait(exportId, options);
  }

  /** Tells whether exports can be created now. Asks Tillroll; for Clover its published hours are used. */
  availability(call?: CallOptions): Promise<Availability> {
    return this.#api.availability(call);
  }

  /** Tells whether the token may export a type. No export is created. @throws ExportError */
  checkAccess(type: ExportType, call?: CallOptions): Promise<Access> {
    return this.#api.checkAccess(type, call);
  }

  /** Milliseconds by which the server's clock is ahead of this machine's, by its last answer; 0 within two seconds. */
  get clockAheadMs(): number {
    return this.#api.clock.aheadMs;
  }

  /** Gives the orders of any span, each once, by `createdTime` and `id` where the service orders them so. */
  async *orders(options: IterateOptions): AsyncGenerator<Order, void, void> {
    const { iterateObjects, parseObject } = await import('./download/iterate-objects.ts');
    yield* iterateObjects<Order>(this.#api, 'ORDERS', options, parseObject);
  }

  /** Gives the payments of any span, each once. */
  async *payments(options: IterateOptions): AsyncGenerator<Payment, void, void> {
    const { iterateObjects, parseObject } = await import('./download/iterate-objects.ts');
    yield* iterateObjects<Payment>(this.#api, 'PAYMENTS', options, parseObject);
  }

  /** Gives the objects of any span, each once, as the JSON text that the server sent: no number is rounded. */
  async *lines(options: LinesOptions): AsyncGenerator<ObjectLine, void, void> {
    const { iterateLines } = await import('./pull/iterate-lines.ts');
    yield* iterateLines(this.#api, options);
  }

  /** Fetches a span into a directory of files, resumable, with a receipt. */
  async pull(options: PullOptions): Promise<PullResult> {
    const { pull } = await import('./pull/pull.ts');
    return pull(this.#api, options);
  }

  /** Tells what `pull` would do with these options: no export is made, and nothing is written. */
  async preview(options: PullOptions): Promise<PullPreview> {
    const { previewPull } = await import('./pull/preview.ts');
    return previewPull(this.#api, options);
  }

  /** Downloads the raw files of one DONE export: checked, resumable, with a manifest. */
  async download(exportId: string, options: RawFilesOptions): Promise<RawFilesResult> {
    const { downloadRawFiles } = await import('./download/raw-files.ts');
    try {
      return await downloadRawFiles(this.#api, exportId, options);
    } catch (error) {
      if (options.signal?.aborted) throw interruptedError(error);
      const { toDiskError } = await import('./disk/errors.ts');
      throw toDiskError(error);
    }
  }
}
