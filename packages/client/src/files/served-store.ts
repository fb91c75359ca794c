import { createHash } from 'node:crypto';
import { open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { ObjectReader } from '../json/object-reader.ts';
import { inflated, makeDirectory, moveIntoPlace, removeFiles, writeAll } from './disk.ts';
import type { Segment, StoredFile } from './journal.ts';
import { absolute, PART, servedPath, type Layout } from './layout.ts';
import type { Counted, RangeStore, SegmentWriter, Written } from './range-store.ts';

const compress = promisify(gzip);
const GZIP = { level: 1 };
/** A gzip member holds so many bytes; smaller files are one member. */
const MEMBER_BYTES = 4 * 1024 * 1024;

/** The names that this store gives, finished or not. */
const OWN_NAME = /^\d+\.json(\.gz)?(\.part)?$/;

/** The files as they are served, each in a file of its own. */
export class ServedStore implements RangeStore {
  readonly #layout: Layout;
  readonly #folder: string;
  readonly #files = new Map<number, StoredFile>();

  private constructor(layout: Layout, folder: string) {
    this.#layout = layout;
    this.#folder = folder;
  }

  /** Goes on with the files that are there and have the checksum that was noted. */
  static async open(
    layout: Layout,
    folder: string,
    segments: readonly Segment[],
    readerOf: () => ObjectReader,
  ): Promise<{ store: ServedStore; kept: Segment[] }> {
    const store = new ServedStore(layout, folder);
    await makeDirectory(absolute(layout, folder));
    const kept: Segment[] = [];
    for (const segment of segments) {
      const { file, position } = segment;
      if (!file || (await sha256Of(absolute(layout, file.path))) !== file.sha256) continue;
      const reader = readerOf();
      for await (const chunk of contentOf(absolute(layout, file.path), layout.gzip))
        reader.push(chunk);
      reader.end();
      store.#files.set(position, file);
      kept.push(segment);
    }
    await store.#removeOthers();
    return { store, kept };
  }

  /** What is left of an export that is not gone on with: it may have had more files than this one. */
  async #removeOthers(): Promise<void> {
    const kept = new Set([...this.#files.values()].map(({ path }) => path));
    const paths = (await readdir(absolute(this.#layout, this.#folder)))
      .filter((name) => OWN_NAME.test(name))
      .map((name) => `${this.#folder}/${name}`)
      .filter((path) => !kept.has(path));
    await removeFiles(paths.map((path) => absolute(this.#layout, path)));
  }

  begin(position: number): SegmentWriter {
    return new ServedFile(this.#layout, servedPath(this.#layout, this.#folder, position), (file) =>
      this.#files.set(position, file),
    );
  }

  async finish(): Promise<{ files: StoredFile[] }> {
    return { files: [...this.#files].toSorted(([a], [b]) => a - b).map(([, file]) => file) };
  }

  /** Each file got its name when it was whole. */
  partOf(path: string): string {
    return path;
  }

  async close(): Promise<void> {
    // Every file is closed by the one that writes it.
  }
}

class ServedFile implements SegmentWriter {
  readonly #path: string;
  readonly #final: string;
  readonly #gzip: boolean;
  readonly #done: (file: StoredFile) => void;
  readonly #hash = createHash('sha256');
  #file: FileHandle | undefined;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #length = 0;

  constructor(layout: Layout, path: string, done: (file: StoredFile) => void) {
    this.#path = path;
    this.#final = absolute(layout, path);
    this.#gzip = layout.gzip;
    this.#done = done;
  }

  bytes(chunk: Uint8Array): void {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
  }

  object(): void {
    // The bytes are kept as they came.
  }

  async relieve(): Promise<void> {
    if (this.#heldBytes >= MEMBER_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    this.#file ??= await open(`${this.#final}${PART}`, 'w');
    const pieces = this.#gzip ? [await compress(Buffer.concat(this.#held), GZIP)] : this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const piece of pieces) this.#hash.update(piece);
    this.#length += await writeAll(this.#file, pieces, this.#length);
  }

  async commit(
    record: (written: Written) => Promise<void>,
    { objects, first, last }: Counted,
  ): Promise<void> {
    await this.#flush();
    await this.#file?.sync();
    await this.#close();
    await moveIntoPlace(`${this.#final}${PART}`, this.#final);
    const sha256 = this.#hash.digest('hex');
    const file = { path: this.#path, objects, bytes: this.#length, sha256, first, last };
    await record({ file });
    this.#done(file);
  }

  async abandon(): Promise<void> {
    await this.#close();
    await rm(`${this.#final}${PART}`, { force: true });
  }

  async #close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }
}

/** Hex SHA-256 of a file; undefined when there is none. */
export async function sha256Of(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of contentOf(path, false)) hash.update(chunk);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return hash.digest('hex');
}

/** A file's bytes, inflated where it is gzip. */
export async function* contentOf(
  path: string,
  isGzip: boolean,
): AsyncGenerator<Buffer, void, void> {
  const file = await open(path, 'r');
  try {
    const stream = file.createReadStream({ highWaterMark: 256 * 1024, autoClose: false });
    yield* (isGzip ? inflated(stream) : stream) as AsyncIterable<Buffer>;
  } finally {
    await file.close();
  }
}
