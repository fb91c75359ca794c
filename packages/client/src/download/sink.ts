/** The destination of a file while it is fetched, and one in memory. */

/** Encoding of a raw file. `identity` may still be gzip that was not announced. */
export type FileEncoding = 'gzip' | 'identity';

/** The headers of an answer that begins a file. */
export interface FileHead {
  /** A strong ETag of this representation; null: it cannot be resumed. */
  etag: string | null;
  encoding: FileEncoding;
  /** Length of the raw file in bytes; null when it was not announced. */
  length: number | null;
}

/** The destination of a file while it is fetched. */
export interface Sink {
  /** The headers of the bytes that were received; undefined when there are none. */
  readonly head: FileHead | undefined;
  readonly received: number;
  /** Begins the file: what was received before is dropped. */
  begin(head: FileHead): Promise<void>;
  /** @param chunk belongs to the sink. */
  write(chunk: Buffer): Promise<void>;
}

/** Keeps one file in memory. */
export class MemorySink implements Sink {
  #head: FileHead | undefined;
  #chunks: Buffer[] = [];
  #received = 0;

  get head(): FileHead | undefined {
    return this.#head;
  }

  get received(): number {
    return this.#received;
  }

  async begin(head: FileHead): Promise<void> {
    this.#head = head;
    this.#chunks = [];
    this.#received = 0;
  }

  async write(chunk: Buffer): Promise<void> {
    this.#chunks.push(chunk);
    this.#received += chunk.length;
  }

  /** @returns the whole file; the sink is empty afterwards. */
  take(): Buffer {
    const bytes = Buffer.concat(this.#chunks);
    this.#chunks = [];
    return bytes;
  }
}
