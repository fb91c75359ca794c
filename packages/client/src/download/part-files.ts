/** Names and writes the raw files in a folder of parts, also those that are not whole yet. */
import { constants } from 'node:fs';
import { open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { checkFile, findEntry, readText } from '../disk/entries.ts';
import { openForWriting, writePieces } from '../disk/write.ts';
import type { FileEncoding, FileHead, Sink } from './sink.ts';

/**
 * Bytes are gathered up to this size or age (ms): most files are written with one call, and
 * a kill loses little.
 */
const GATHER_BYTES = 256 * 1024;
const GATHER_MS = 250;

/** Permissions of temporary files: for the owner alone. */
export const PRIVATE_FILE = 0o600;
const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;

/** The names in a folder of parts: whole files, temporary ones, sidecars, and the manifest. */
const OWN_NAME = /^(?:\d{4,6}\.(?:json|json\.gz|part|part\.json)|manifest\.json)$/;
/** The name of a whole raw file. */
export const RAW_FILE_NAME = /^\d{4,6}\.json(?:\.gz)?$/;
const SUFFIX = { gzip: '.json.gz', identity: '.json' } as const;

function formatBaseName(position: number): string {
  return String(position).padStart(4, '0');
}

/** Formats the name of a whole raw file: `0007.json`, `0007.json.gz`. */
export function formatRawFileName(position: number, encoding: FileEncoding): string {
  return formatBaseName(position) + SUFFIX[encoding];
}

/** The files of a folder of parts, by position. */
export interface PartList {
  /** Absolute paths of whole files. */
  whole: Map<number, string>;
  /** Files that can be resumed. */
  begun: Set<number>;
}

/** Lists the parts in a folder. @throws ExportError DIRECTORY when one of our names is a link, a folder or the like. */
export async function listParts(folder: string): Promise<PartList> {
  const whole = new Map<number, string>();
  const begun = new Set<number>();
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!OWN_NAME.test(entry.name)) continue;
    const path = join(folder, entry.name);
    if (!entry.isFile()) await checkFile(path);
    const position = Number.parseInt(entry.name, 10);
    if (entry.name.endsWith('.part.json')) begun.add(position);
    const isGzip = entry.name.endsWith('.gz');
    // The gzip encoding is kept when both encodings of one file are there.
    if (RAW_FILE_NAME.test(entry.name) && (isGzip || !whole.has(position)))
      whole.set(position, path);
  }
  return { whole, begun };
}

/** Removes every file that this module makes. */
export async function removeOwnFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (OWN_NAME.test(name)) await rm(join(folder, name), { force: true });
}

/** Removes one file, whole or not. */
export async function removePart(folder: string, position: number): Promise<void> {
  for (const suffix of [...Object.values(SUFFIX), '.part', '.part.json'])
    await rm(join(folder, formatBaseName(position) + suffix), { force: true });
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
  /** The last received bytes, which are not written yet. */
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  #gatheredSince = 0;
  #hasSidecar = false;

  constructor(folder: string, position: number) {
    this.#base = join(folder, formatBaseName(position));
    this.#path = `${this.#base}.part`;
  }

  /** Resumes a file that an earlier run began, if its sidecar allows that. */
  static async resume(folder: string, position: number): Promise<PartSink> {
    const sink = new PartSink(folder, position);
    sink.#hasSidecar = true;
    const head = await readSidecar(`${sink.#path}.json`);
    const found = await findEntry(sink.#path);
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
    this.#gathered = [];
    this.#gatheredBytes = 0;
    await this.close();
    // A sidecar must not describe the bytes of another try.
    if (this.#hasSidecar) await rm(`${this.#path}.json`, { force: true });
    this.#hasSidecar = false;
    this.#head = head;
    this.#received = 0;
  }

  async write(chunk: Buffer): Promise<void> {
    const now = performance.now();
    if (this.#gathered.length === 0) this.#gatheredSince = now;
    this.#gathered.push(chunk);
    this.#gatheredBytes += chunk.length;
    this.#received += chunk.length;
    if (this.#gatheredBytes < GATHER_BYTES && now - this.#gatheredSince < GATHER_MS) return;
    await this.#writeGathered();
    await this.#writeSidecar();
  }

  async #writeGathered(): Promise<void> {
    const position = this.#received - this.#gatheredBytes;
    const pieces = this.#gathered;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    const flags = O_WRONLY | O_NOFOLLOW | (position === 0 ? O_CREAT | O_TRUNC : 0);
    this.#file ??= await open(this.#path, flags, PRIVATE_FILE);
    await writePieces(this.#file, pieces, position);
  }

  async #writeSidecar(): Promise<void> {
    const head = this.#head;
    if (this.#hasSidecar || !head?.etag) return;
    this.#hasSidecar = true;
    await using sidecar = await openForWriting(`${this.#path}.json`, PRIVATE_FILE);
    await sidecar.writeFile(JSON.stringify(head));
  }

  /** Gives the whole file its name. @returns its path. */
  async finish(): Promise<string> {
    await this.#writeGathered();
    await this.#closeFile();
    const encoding: FileEncoding = this.#head?.encoding ?? 'identity';
    const path = this.#base + SUFFIX[encoding];
    await rename(this.#path, path);
    if (this.#hasSidecar) await rm(`${this.#path}.json`, { force: true });
    return path;
  }

  /** Writes what was received and closes the handle, so that a later run can resume. */
  async close(): Promise<void> {
    try {
      if (this.#gatheredBytes > 0) {
        await this.#writeGathered();
        await this.#writeSidecar();
      }
    } finally {
      await this.#closeFile();
    }
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

/** Reads the headers of a temporary file; undefined when there are none, or they are damaged. */
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
