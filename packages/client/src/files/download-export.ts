import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ExportClient } from '../client.ts';
import { ExportError } from '../errors.ts';
import { interrupted } from '../http/backoff.ts';
import { Zone } from '../zone.ts';
import { diskError, makeDirectory } from './disk.ts';
import type { DownloadProgress } from './pull-types.ts';
import { RangeDownload } from './range-download.ts';

export interface DownloadExportOptions {
  /** The directory for the files; made when it is not there, else it must be empty. */
  out: string;
  gzip?: boolean | undefined;
  /** Files at once. Default 4. */
  downloads?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

export interface DownloadExportResult {
  files: { path: string; objects: number; bytes: number; sha256: string }[];
  objects: number;
}

/**
 * Downloads the files of one finished export as they are served, each checked and written whole.
 * @throws ExportError: GONE when they are no longer there, DIRECTORY, BAD_FILE, ...
 */
export async function downloadExport(
  client: ExportClient,
  exportId: string,
  options: DownloadExportOptions,
): Promise<DownloadExportResult> {
  const { gzip = false, downloads = 4, signal = new AbortController().signal } = options;
  const out = resolve(options.out);
  const exported = await client.show(exportId, { signal });
  if (exported.status !== 'DONE')
    throw new ExportError('EXPORT_FAILED', `export ${exportId} is ${exported.status}, not DONE`, {
      hint: 'Wait for it first',
    });
  try {
    await makeDirectory(out);
    const [other] = (await readdir(out)).filter((name) => !name.startsWith('.'));
    if (other !== undefined)
      throw new ExportError('DIRECTORY', `${out} is not empty: it holds ${other}`, {
        hint: 'Choose a new or an empty directory',
      });
    const { type, startTime, endTime } = exported;
    const download = new RangeDownload({
      client,
      // One export is fetched in one go: nothing is noted.
      journal: {
        layout: { out, format: 'json', gzip },
        pending: () => ({ exportId: undefined, segments: [] }),
        segmentDone: async () => undefined,
      },
      range: { type, startTime, endTime },
      place: 'final',
      folder: '.',
      zone: new Zone('UTC'),
      downloads,
      signal,
      onProgress: (progress) => options.onProgress?.(progress),
    });
    const { done } = await download.run(exported);
    const files = done.files.map(({ path, objects, bytes, sha256 }) => ({
      path: path.replace(/^\.\//, ''),
      objects,
      bytes,
      sha256,
    }));
    return { files, objects: done.tally.objects };
  } catch (error) {
    throw signal.aborted ? interrupted(error) : diskError(error);
  }
}
