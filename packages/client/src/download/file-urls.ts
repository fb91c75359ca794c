import type { ExportApi } from '../api/export-api.ts';
import type { CallOptions } from '../api/call-options.ts';
import { ExportError } from '../errors.ts';
import { filesGoneError, listFiles, type ListedFile } from './file-list.ts';

/** The URLs of an export's files, by key; the export is read again when they expired. */
export class FileUrls {
  readonly #api: ExportApi;
  readonly #exportId: string;
  readonly #call: CallOptions;
  #urls: ReadonlyMap<string, string> | undefined;
  /** Several files whose URLs expired together share one reading of the export. */
  #reading: Promise<void> | undefined;

  /** @param files undefined: the export is read when a URL is needed. */
  constructor(
    api: ExportApi,
    exportId: string,
    files: readonly ListedFile[] | undefined,
    call: CallOptions,
  ) {
    this.#api = api;
    this.#exportId = exportId;
    this.#call = call;
    if (files) this.#keep(files);
  }

  /** Finds the newest URL of a file. @throws ExportError GONE when there is none. */
  async find(key: string): Promise<string> {
    if (!this.#urls) await this.#read();
    const url = this.#urls?.get(key);
    if (url === undefined) throw filesGoneError(this.#exportId);
    return url;
  }

  /** Finds a URL other than `stale`, which expired. @throws ExportError GONE */
  async refresh(key: string, stale: string): Promise<string> {
    if (this.#urls?.get(key) === stale) await this.#read();
    return this.find(key);
  }

  #read(): Promise<void> {
    this.#reading ??= this.#fetch().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #fetch(): Promise<void> {
    const exported = await this.#api.show(this.#exportId, this.#call).catch((error: unknown) => {
      // A service may forget an export altogether.
      if (error instanceof ExportError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    });
    this.#keep((exported && listFiles(exported)) ?? []);
  }

  #keep(files: readonly ListedFile[]): void {
    this.#urls = new Map(files.map(({ key, url }) => [key, url]));
  }
}
