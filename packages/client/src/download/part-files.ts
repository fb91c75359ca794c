import { constants } from 'node:fs';
import { lstat, open, readdir, rename, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { checkFile, readText } from '../disk/entries.ts';
import type { FileEncoding, FileHead, Sink } from './sink.ts';

/** Nobody else reads what is temporary. */
export const PRIVATE_FILE = 0o600;
const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;

/** The names in a folder of parts: whole files, temporary ones, sidecars, and the manifest. */
const OWN_NAME = /^(?:\d{4,6}\.(?:json|json\.gz|part|part\.json)|manifest\.json)$/;
const WHOLE_NAME = /^(\d{4,6})\.json(\.gz)?$/;
const SUFFIX = { gzip: '.json.gz', identity: '.json' } as const;

function baseName(position: number): string {
  return String(position).padStart(4, '0');
}

/**
 * Finds the files that are whole, by position.
 * @throws ExportError DIRECTORY when one of our names is a link, a folder or the like.
 */
export async function findWhole(folder: string): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!OWN_NAME.test(entry.name)) continue;
    await checkFile(join(folder, entry.name));
    const [, position, gz] = WHOLE_NAME.exec(entry.name) ?? [];
    // Of two encodings of one file the gzip is kept.
    if (position === undefined || (gz === undefined && found.has(Number(position)))) continue;
    found.set(Number(position), join(folder, entry.name));
  }
  return found;
}

/** Removes every file that this module makes. */
export async function removeOwnFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (OWN_NAME.test(name)) await rm(join(folder, name), { force: true });
}

/** Removes one file, whole or not. */
export async function removePart(folder: string, position: number): Promise<void> {
  for (const suffix of [...Object.values(SUFFIX), '.part', '.part.json'])
    await rm(join(folder, baseName(position) + suffix), { force: true });
}

/**
 * One file on its way to disk: `0007.part`, with the sidecar `0007.part.json` while it can be resumed.
 * It gets its name when it is whole.
 */
export class PartSink implements Sink {
  readonly #path: string;
  readonly #base: string;
  #file: FileHandle | undefined;
  #head: FileHead | undefined;
  #received = 0;

  private constructor(folder: string, position: number) {
    this.#base = join(folder, baseName(position));
    this.#path = `${this.#base}.part`;
  }

  /** Takes up what an earlier run received, if its sidecar allows that. */
  static async open(folder: string, position: number): Promise<PartSink> {
    const sink = new PartSink(folder, position);
    const head = await readSidecar(`${sink.#path}.json`);
    const found = await lstat(sink.#path).catch(() => undefined);
    if (!head || !found?.isFile() || found.size > (head.length ?? Infinity)) return sink;
    sink.#head = head;
    sink.#received = found.size;
    return sink;
  }

  get head(): FileHead | undefined {
    return this.#head;
  }

  get received(): number {
    return this.#received;
  }

  async begin(head: FileHead): Promise<void> {
    await this.close();
    this.#file = await open(this.#path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, PRIVATE_FILE);
    this.#head = head;
    this.#received = 0;
    // Only now: a sidecar must not describe the bytes of an earlier try.
    if (head.etag === null) await rm(`${this.#path}.json`, { force: true });
    else
      await writeFile(`${this.#path}.json`, JSON.stringify(head), {
        mode: PRIVATE_FILE,
        flag: (O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW) as unknown as string,
      });
  }

  async write(chunk: Buffer): Promise<void> {
    this.#file ??= await open(this.#path, O_WRONLY | O_NOFOLLOW);
    for (let done = 0; done < chunk.length;) {
      const { bytesWritten } = await this.#file.write(
        chunk,
        done,
        chunk.length - done,
        this.#received,
      );
      done += bytesWritten;
      this.#received += bytesWritten;
    }
  }

  /** Gives the whole file its name. @returns its path. */
  async finish(): Promise<string> {
    await this.close();
    const encoding: FileEncoding = this.#head?.encoding ?? 'identity';
    const path = this.#base + SUFFIX[encoding];
    await rename(this.#path, path);
    await rm(`${this.#path}.json`, { force: true });
    return path;
  }

  /** Closes the handle; what is on disk is kept, so that a later run can resume. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

/** Reads what is known of a temporary file; undefined when that is nothing, or is damaged. */
async function readSidecar(path: string): Promise<FileHead | undefined> {
  const text = await readText(path);
  try {
    const { etag, encoding, length } = JSON.parse(text ?? '') as FileHead;
    const isHead =
      typeof etag === 'string' &&
      /^"[^"\r\n]*"$/.test(etag) &&
      (encoding === 'gzip' || encoding === 'identity') &&
      (length === null || Number.isSafeInteger(length));
    return isHead ? { etag, encoding, length } : undefined;
  } catch {
    return undefined;
  }
}
