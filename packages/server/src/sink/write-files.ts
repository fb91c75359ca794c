/** Writes an export's rows as files, several in flight, with bounded memory. */
import { FileCutter, PIECE_BYTES, type FileTarget, type OpenFile } from './cutter.ts';
import type { FileLayout } from './layout.ts';
import { FileInFlight, type StoreFile, type WrittenFile } from './file.ts';

/** The files could not be written. */
export class StorageError extends Error {
  override name = 'StorageError';
}

/**
 * The data in flight is bounded in bytes, not in objects. Measured: 8 MiB keep the compressing threads
 * of two cores busy as well as 32 do.
 */
export const IN_FLIGHT_BYTES = 8 * 1024 * 1024;

/** An object on its way in: `data[start..end)`. */
interface Row {
  position: number;
  isDeletion: boolean;
  data: Buffer;
  start: number;
  end: number;
}

/**
 * Writes a stream of objects as files of a layout and returns their manifest in order. Several files are
 * compressed and stored at once, up to `IN_FLIGHT_BYTES`; beyond that the source waits.
 * @param onPosition is called with the position of the last object cut so far, and the number of objects.
 * @throws StorageError; whatever the source throws.
 */
export async function writeFiles(
  batches: AsyncIterable<readonly Row[]>,
  layout: FileLayout,
  store: StoreFile,
  onPosition: (position: number, objects: number) => void,
): Promise<WrittenFile[]> {
  const inFlight = new InFlightFiles(store);
  const cutter = new FileCutter(layout, inFlight, () => inFlight.allocate());
  let objects = 0;
  try {
    for await (const rows of batches) {
      objects += rows.length;
      for (const { data, start, end, isDeletion } of rows)
        cutter.push(data, start, end, isDeletion);
      const last = rows.at(-1);
      if (last) onPosition(last.position, objects);
      await inFlight.waitUntilBelow(IN_FLIGHT_BYTES);
    }
    cutter.finish();
    return await inFlight.files();
  } catch (error) {
    await inFlight.destroy();
    throw error;
  }
}

/** The files that are being compressed and stored, and the memory they hold. */
class InFlightFiles implements FileTarget {
  readonly #store: StoreFile;
  readonly #spare: Buffer[] = [];
  readonly #ended: Promise<WrittenFile>[] = [];
  #current: FileInFlight | null = null;
  #held = 0;
  #failure: StorageError | null = null;
  #wake: (() => void) | null = null;

  constructor(store: StoreFile) {
    this.#store = store;
  }

  /** Reused once zlib is done with it: fresh memory for every piece would grow faster than it is collected. */
  allocate(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
  }

  open(position: number, isDeletions: boolean): OpenFile {
    const file = new FileInFlight(position, isDeletions, this.#store);
    this.#current = file;
    // Its compressor needs about as much as a piece, until all of it is stored.
    this.#held += PIECE_BYTES;
    file.stored.catch((cause: unknown) => this.#fail(cause)).finally(() => this.#release());
    return {
      write: (piece) => this.#write(file, piece),
      close: (objects) => this.#close(file, objects),
    };
  }

  #write(file: FileInFlight, piece: Buffer): void {
    this.#held += PIECE_BYTES;
    file.write(piece, () => {
      this.#spare.push(Buffer.from(piece.buffer));
      this.#release();
    });
  }

  #close(file: FileInFlight, objects: number): void {
    const written = file.end(objects);
    this.#current = null;
    written.catch((cause: unknown) => this.#fail(cause));
    this.#ended.push(written);
  }

  #release(): void {
    this.#held -= PIECE_BYTES;
    this.#wake?.();
  }

  #fail(cause: unknown): void {
    this.#failure ??= new StorageError('a file could not be written', { cause });
    this.#wake?.();
  }

  /** Waits until at most `bytes` are held. @throws StorageError as soon as any file has failed. */
  async waitUntilBelow(bytes: number): Promise<void> {
    while (this.#held > bytes && !this.#failure) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    if (this.#failure) throw this.#failure;
  }

  async files(): Promise<WrittenFile[]> {
    try {
      return await Promise.all(this.#ended);
    } catch (cause) {
      throw this.#failure ?? new StorageError('a file could not be written', { cause });
    }
  }

  /** Ends every write, so that nothing is written any more once this resolves. */
  async destroy(): Promise<void> {
    await Promise.allSettled([this.#current?.destroy(), ...this.#ended]);
  }
}
