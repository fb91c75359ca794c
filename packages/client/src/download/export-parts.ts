/** Downloads the raw files of an export to a folder, several at once, resumable. */
import type { ExportFile, ExportObject } from '@tillroll/contract';
import type { LimitFunction } from 'p-limit';
import type { ExportApi } from '../api/export-api.ts';
import { makeRealDirectory } from '../disk/write.ts';
import { ExportError } from '../errors.ts';
import { interruptedError, type OnWaiting } from '../http/retry.ts';
import { fetchFile } from './fetch-file.ts';
import {
  filesGoneError,
  listFiles,
  orderAs,
  type FileEntry,
  type ListedFile,
} from './file-list.ts';
import { FileUrls } from './file-urls.ts';
import { listParts, PartSink, removeOwnFiles, removePart, type PartList } from './part-files.ts';
import { readPartsManifest, writePartsManifest } from './parts-manifest.ts';

/** One raw file of an export, on disk. */
export interface Part {
  /** From 0, in the order of the objects. */
  position: number;
  /** Absolute. A file whose name ends with `.json` may still be gzip. */
  path: string;
  /** The manifest's entry: about the content, inflated. */
  expected: ExportFile | undefined;
}

/** The files of one export, on their way to disk. Disposing stops the downloads that are in flight. */
export interface ExportParts extends AsyncDisposable {
  readonly exportId: string;
  /** Number of files of the export. */
  readonly count: number;
  /** The manifest's entry for a file; undefined when there is none. */
  expected(position: number): ExportFile | undefined;
  /** Resolves when a file is on disk; rejects with the first failure of the download. */
  part(position: number): Promise<Part>;
  /**
   * Deletes a file whose content is bad and fetches it again.
   * @param fault what is wrong with it.
   * @throws ExportError BAD_FILE `file 7 of export X is damaged: ...` after `retry.badFile` tries.
   */
  refetch(position: number, fault: ExportError): Promise<Part>;
}

/** Options of `openExportParts`. */
export interface ExportPartsOptions {
  api: ExportApi;
  exportId: string;
  /** The DONE export, if it was just read. */
  exported?: ExportObject | undefined;
  /** Absolute: `.tillroll/parts/<exportId>`. Made when it is not there. */
  folder: string;
  /** Bounds the files in flight; shared by everything that downloads at the same time. */
  limit: LimitFunction;
  signal: AbortSignal;
  onWaiting?: OnWaiting | undefined;
  /** Called with the bytes that arrive, not inflated. */
  onBytes?: ((bytes: number) => void) | undefined;
  /** Positions that are not needed any more. */
  isNeeded?: ((position: number) => boolean) | undefined;
}

/**
 * Begins to fetch the files of an export that are not on disk yet. Where all are, no server is asked.
 * @throws ExportError GONE when files are missing and are no longer served; DIRECTORY.
 */
export async function openExportParts(options: ExportPartsOptions): Promise<ExportParts> {
  const { api, exportId, folder, signal, onWaiting, isNeeded = () => true } = options;
  await makeRealDirectory(folder);
  let list = await listParts(folder);
  const saved = await readPartsManifest(folder, exportId);
  const isComplete = saved?.every((_, position) => list.whole.has(position) || !isNeeded(position));
  let listed: ListedFile[] | undefined;
  if (options.exported || !isComplete) {
    const exported = options.exported ?? (await readDone(api, exportId, { signal, onWaiting }));
    listed = listFiles(exported);
    if (!listed && !isComplete) throw filesGoneError(exportId);
  }
  const files = listed ? orderAs(saved, listed) : saved;
  if (!files) throw filesGoneError(exportId);
  if (files === listed) {
    // The export has other files than before: those on disk belong to none of them.
    if (list.whole.size > 0 || saved) await removeOwnFiles(folder);
    list = { whole: new Map(), begun: new Set() };
    await writePartsManifest(folder, exportId, files);
  }
  const parts = new Parts(options, files, listed);
  parts.begin(list, isNeeded);
  return parts;
}

/** Tells whether all files of an export are on disk, so that no server has to be asked. */
export async function hasAllParts(folder: string, exportId: string): Promise<boolean> {
  const files = await readPartsManifest(folder, exportId);
  if (!files) return false;
  const { whole } = await listParts(folder);
  return files.every((_, position) => whole.has(position));
}

async function readDone(
  api: ExportApi,
  exportId: string,
  call: { signal: AbortSignal; onWaiting: OnWaiting | undefined },
): Promise<ExportObject> {
  return api.wait(exportId, call).catch((error: unknown) => {
    if (error instanceof ExportError && error.code === 'NOT_FOUND') throw filesGoneError(exportId);
    throw error;
  });
}

class Parts implements ExportParts {
  readonly exportId: string;
  readonly count: number;
  readonly #options: ExportPartsOptions;
  readonly #files: readonly FileEntry[];
  readonly #urls: FileUrls;
  readonly #slots: PromiseWithResolvers<Part>[];
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #inFlight = new Set<Promise<unknown>>();
  readonly #damaged = new Map<number, number>();
  #begun: Set<number> = new Set();
  #failure: unknown;

  constructor(
    options: ExportPartsOptions,
    files: readonly FileEntry[],
    listed: readonly ListedFile[] | undefined,
  ) {
    const { api, exportId, signal, onWaiting } = options;
    this.exportId = exportId;
    this.count = files.length;
    this.#options = options;
    this.#files = files;
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
    this.#urls = new FileUrls(api, exportId, listed, { signal: this.#signal, onWaiting });
    this.#slots = files.map(() => newSlot());
    const onAbort = (): void => this.#fail(interruptedError(this.#signal.reason));
    this.#signal.addEventListener('abort', onAbort, { once: true });
  }

  begin({ whole, begun }: PartList, isNeeded: (position: number) => boolean): void {
    this.#begun = begun;
    if (this.#signal.aborted) this.#fail(interruptedError(this.#signal.reason));
    for (let position = 0; position < this.count; position++) {
      const path = whole.get(position);
      if (path === undefined && isNeeded(position)) this.#schedule(position);
      else if (path !== undefined) void this.#recordPart(position, async () => path);
    }
  }

  expected(position: number): ExportFile | undefined {
    return this.#files[position]?.expected;
  }

  part(position: number): Promise<Part> {
    return this.#slot(position).promise;
  }

  async refetch(position: number, fault: ExportError): Promise<Part> {
    await removePart(this.#options.folder, position);
    try {
      this.#countDamage(position, fault);
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    this.#slots[position] = newSlot();
    if (this.#failure !== undefined) this.#slot(position).reject(this.#failure);
    this.#schedule(position);
    return this.#slot(position).promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#inFlight);
  }

  #slot(position: number): PromiseWithResolvers<Part> {
    const slot = this.#slots[position];
    if (!slot) throw new RangeError(`export ${this.exportId} has no file ${position}`);
    return slot;
  }

  #schedule(position: number): void {
    // Not awaited: the outcome is in the slot, and the file may wait for those of another export.
    void this.#options.limit(async () => {
      if (this.#failure !== undefined) return;
      const fetching = this.#recordPart(position, () => this.#fetch(position));
      this.#inFlight.add(fetching);
      await fetching;
      this.#inFlight.delete(fetching);
    });
  }

  /** Never rejects: the first failure ends the download, and later ones are its consequences. */
  async #recordPart(position: number, find: () => Promise<string>): Promise<void> {
    try {
      const path = await find();
      this.#slot(position).resolve({ position, path, expected: this.expected(position) });
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const slot of this.#slots) slot.reject(error);
    this.#stop.abort();
  }

  /** Fetches until the file is whole, as often as it turns out to be damaged on its way. */
  async #fetch(position: number): Promise<string> {
    const { api, folder, onWaiting, onBytes } = this.#options;
    const file = this.#files[position];
    if (!file) throw new RangeError(`export ${this.exportId} has no file ${position}`);
    const name = this.#describeFile(position);
    for (;;) {
      const isBegun = this.#begun.delete(position);
      const sink = isBegun
        ? await PartSink.resume(folder, position)
        : new PartSink(folder, position);
      try {
        const options = { signal: this.#signal, onWaiting, onBytes };
        await fetchFile(api, { ...file, name }, this.#urls, sink, options);
        return await sink.finish();
      } catch (error) {
        await sink.close();
        if (!(error instanceof ExportError) || error.code !== 'BAD_FILE') throw error;
        await removePart(folder, position);
        this.#countDamage(position, error);
      }
    }
  }

  #countDamage(position: number, fault: ExportError): void {
    const tries = (this.#damaged.get(position) ?? 0) + 1;
    this.#damaged.set(position, tries);
    if (tries >= this.#options.api.retry.badFile)
      throw damagedError(this.#describeFile(position), fault);
  }

  #describeFile(position: number): string {
    return `file ${position} of export ${this.exportId}`;
  }
}

/** A slot that may fail while nobody waits for it. */
function newSlot(): PromiseWithResolvers<Part> {
  const slot = Promise.withResolvers<Part>();
  slot.promise.catch(() => undefined);
  return slot;
}

/** Makes the error for a file that was fetched again and again. @param name such as `file 7 of export X`. */
export function damagedError(name: string, fault: ExportError): ExportError {
  return new ExportError('BAD_FILE', `${name} is damaged: ${fault.message}`, {
    hint: 'It was fetched again each time; the service is at fault',
    cause: fault,
  });
}
