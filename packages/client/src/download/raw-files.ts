/** `download`: the raw files of one export in a directory, with a manifest. */
import { rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ExportObject } from '@tillroll/contract';
import pLimit from 'p-limit';
import type { ExportApi } from '../api/export-api.ts';
import type { CallOptions } from '../api/call-options.ts';
import { EXPORT_ID } from '../api/parse-answer.ts';
import { sumFile } from '../disk/entries.ts';
import { chooseFolderMode, makeDirectory, makeRealDirectory } from '../disk/write.ts';
import { ExportError, usageError } from '../errors.ts';
import { throwIfAborted } from '../http/retry.ts';
import { openExportParts, type ExportParts } from './export-parts.ts';
import { listFiles, orderAs } from './file-list.ts';
import {
  checkCount,
  checkFileMode,
  checkOut,
  DEFAULT_DOWNLOADS,
  MAX_DOWNLOADS,
} from './check-options.ts';
import { formatRawFileName, listParts, PRIVATE_FILE } from './part-files.ts';
import { readPartsManifest } from './parts-manifest.ts';
import { checkRawFile, copyChecked } from './raw-content.ts';
import { readRawManifest, writeRawManifest, type RawFile } from './raw-manifest.ts';

/** Options of `downloadRawFiles`. */
export interface RawFilesOptions extends CallOptions {
  /** The directory for the files: new, empty, or one where the same download began. */
  out: string;
  /** Compress the files. */
  gzip?: boolean | undefined;
  /** Files downloaded at once, 1 to 16. Default 4. */
  downloads?: number | undefined;
  /** Permissions of the files. Default `0o600`. */
  fileMode?: number | undefined;
  onProgress?: ((progress: RawFilesProgress) => void) | undefined;
}

export interface RawFilesProgress {
  files: number;
  filesTotal: number;
  objects: number;
  /** Bytes received in this run, not inflated. */
  bytes: number;
}

export interface RawFilesResult {
  files: RawFile[];
  objects: number;
}

/** Temporary folder of received files that are not checked yet. */
const PARTS_FOLDER = '.tillroll-parts';

/**
 * Downloads the files of one DONE export, `0000.json` and so on. Each is checked before it gets its name;
 * `manifest.json` says at the end that all are there. The same call again continues where it stopped.
 * @throws ExportError UNAVAILABLE when it is not DONE yet, EXPORT_FAILED when it ended otherwise, GONE,
 *   BAD_FILE, DIRECTORY, USAGE, ...
 */
export async function downloadRawFiles(
  api: ExportApi,
  exportId: string,
  options: RawFilesOptions,
): Promise<RawFilesResult> {
  const { gzip = false, fileMode = PRIVATE_FILE, signal, onWaiting } = options;
  checkOptions(exportId, options);
  const out = resolve(options.out);
  await makeDirectory(out, chooseFolderMode(fileMode));
  const begun = await readRawManifest(out, exportId, gzip);
  if (begun?.complete && (await areUnaltered(out, begun.files))) {
    await removeParts(out);
    return toResult(begun.files);
  }
  const exported = await api.show(exportId, { signal, onWaiting });
  if (exported.status !== 'DONE') throw notDoneError(exported);
  const { type, startTime, endTime } = exported;
  const head = { export: exportId, type, startTime, endTime, gzip };
  const files = await new RawDownload(api, exported, out, options).run(() =>
    writeRawManifest(out, { ...head, complete: false, files: [] }, fileMode),
  );
  await writeRawManifest(out, { ...head, complete: true, files }, fileMode);
  await removeParts(out);
  return toResult(files);
}

function notDoneError({ id, status }: ExportObject): ExportError {
  const isLater = status === 'PENDING' || status === 'IN_PROGRESS';
  return new ExportError(
    isLater ? 'UNAVAILABLE' : 'EXPORT_FAILED',
    `export ${id} is ${status}, not DONE`,
    { hint: isLater ? 'Wait until it is done, then try again' : 'Create another export' },
  );
}

async function removeParts(out: string): Promise<void> {
  await rm(join(out, PARTS_FOLDER), { recursive: true, force: true });
}

function checkOptions(exportId: string, { out, downloads, fileMode }: RawFilesOptions): void {
  checkOut(out);
  if (!EXPORT_ID.test(exportId))
    throw usageError(`must be the id of an export; got ${JSON.stringify(exportId)}`, {
      option: 'exportId',
    });
  if (downloads !== undefined) checkCount('downloads', downloads, MAX_DOWNLOADS);
  if (fileMode !== undefined) checkFileMode(fileMode);
}

function toResult(files: RawFile[]): RawFilesResult {
  return { files, objects: files.reduce((sum, { objects }) => sum + objects, 0) };
}

async function areUnaltered(out: string, files: readonly RawFile[]): Promise<boolean> {
  for (const { path, sha256 } of files) {
    const found = await sumFile(join(out, path)).catch(() => undefined);
    if (found?.sha256 !== sha256) return false;
  }
  return true;
}

/** One download: files that are there are checked again, the others are fetched. */
class RawDownload {
  readonly #api: ExportApi;
  readonly #exported: ExportObject;
  readonly #out: string;
  readonly #options: RawFilesOptions;
  #objects = 0;
  #bytes = 0;

  constructor(api: ExportApi, exported: ExportObject, out: string, options: RawFilesOptions) {
    this.#api = api;
    this.#exported = exported;
    this.#out = out;
    this.#options = options;
  }

  /** @param onOpened is called when it is known that the files are available. */
  async run(onOpened: () => Promise<void>): Promise<RawFile[]> {
    const {
      downloads = DEFAULT_DOWNLOADS,
      signal = new AbortController().signal,
      onWaiting,
    } = this.#options;
    const folder = join(this.#out, PARTS_FOLDER);
    const finished = await this.#findFinished(folder);
    await using parts = await openExportParts({
      api: this.#api,
      exportId: this.#exported.id,
      exported: this.#exported,
      folder,
      limit: pLimit(downloads),
      signal,
      onWaiting,
      onBytes: (bytes) => void (this.#bytes += bytes),
      isNeeded: (position) => !finished.has(position),
    });
    await onOpened();
    const files: RawFile[] = [];
    for (let position = 0; position < parts.count; position++) {
      this.#report(files.length, parts.count);
      throwIfAborted(signal);
      const file = await this.#finish(parts, position, finished.get(position));
      this.#objects += file.objects;
      files.push(file);
    }
    this.#report(files.length, parts.count);
    return files;
  }

  /** Finds the files of an earlier run; none when the export lists other files now. */
  async #findFinished(folder: string): Promise<ReadonlyMap<number, string>> {
    await makeRealDirectory(folder);
    const saved = await readPartsManifest(folder, this.#exported.id);
    const listed = listFiles(this.#exported);
    if (!saved || (listed && orderAs(saved, listed) === listed)) return new Map();
    const { gzip = false } = this.#options;
    const { whole } = await listParts(this.#out);
    return new Map([...whole].filter(([, path]) => path.endsWith('.gz') === gzip));
  }

  async #finish(
    parts: ExportParts,
    position: number,
    finished: string | undefined,
  ): Promise<RawFile> {
    const { gzip = false, fileMode: mode = PRIVATE_FILE } = this.#options;
    const expected = parts.expected(position);
    const name = formatRawFileName(position, gzip ? 'gzip' : 'identity');
    // A file gets its name when it has been checked.
    const temporary = join(this.#out, PARTS_FOLDER, 'checked');
    let part = finished === undefined ? await parts.part(position) : undefined;
    for (;;) {
      try {
        if (!part) return { path: name, ...(await checkRawFile(join(this.#out, name), expected)) };
        const file = await copyChecked(part, { path: temporary, gzip, mode });
        await rename(temporary, join(this.#out, name));
        await rm(part.path, { force: true });
        return { path: name, ...file };
      } catch (error) {
        if (!(error instanceof ExportError) || error.code !== 'BAD_FILE') throw error;
        part = await parts.refetch(position, error);
      }
    }
  }

  #report(files: number, filesTotal: number): void {
    const { onProgress } = this.#options;
    onProgress?.({ files, filesTotal, objects: this.#objects, bytes: this.#bytes });
  }
}
