/** A source and a store whose progress tests can see and hold. */

import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { StoreFile } from '../src/sink/file.ts';

export interface TestRow {
  position: number;
  isDeletion: boolean;
  data: Buffer;
  start: number;
  end: number;
}

/** A source that knows how much of it was taken, and whether it was closed. */
export class Source implements AsyncIterable<TestRow[]> {
  batches = 0;
  bytes = 0;
  closed = false;
  readonly #rows: Iterable<TestRow[]>;
  constructor(rows: Iterable<TestRow[]>) {
    this.#rows = rows;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TestRow[]> {
    try {
      for (const rows of this.#rows) {
        this.batches++;
        for (const { start, end } of rows) this.bytes += end - start;
        yield rows;
      }
    } finally {
      this.closed = true;
    }
  }
}

export function* makeBatches(objects: Iterable<Buffer>, size: number): Generator<TestRow[]> {
  let batch: TestRow[] = [];
  let number = 0;
  for (const object of objects) {
    const data = Buffer.concat([Buffer.from('??'), object, Buffer.from('?')]);
    batch.push({
      position: 1000 + number++,
      isDeletion: false,
      data,
      start: 2,
      end: data.length - 1,
    });
    if (batch.length === size) {
      yield batch;
      batch = [];
    }
  }
  yield batch;
}

/** Objects that gzip cannot make much smaller. */
export function* noise(count: number, bytes: number): Generator<Buffer> {
  for (let i = 0; i < count; i++) {
    const text = randomBytes(Math.ceil((bytes * 3) / 4)).toString('base64');
    yield Buffer.from(`{"id":"${i}","noise":"${text}"}`);
  }
}

/** A store in memory that knows what is being written. */
export class Memory {
  readonly files: Buffer[] = [];
  active = 0;
  started = 0;
  mostActive = 0;

  /** @param before waits, or throws, ahead of the first byte of a file. */
  store(before?: (position: number, content: Readable) => Promise<void>): StoreFile {
    return async (position, content) => {
      this.started++;
      this.active++;
      this.mostActive = Math.max(this.mostActive, this.active);
      try {
        await before?.(position, content);
        const chunks: Buffer[] = [];
        for await (const chunk of content as AsyncIterable<Buffer>) chunks.push(chunk);
        const bytes = Buffer.concat(chunks);
        this.files[position] = bytes;
        return { bytes: bytes.length, etag: null };
      } finally {
        this.active--;
      }
    };
  }
}

export function ignorePosition(): void {
  // Only some tests look at it.
}

/** Resolves once the source has not moved for a while. */
export async function stalled(source: Source): Promise<void> {
  for (let last = -1; last !== source.batches;) {
    last = source.batches;
    await wait(300);
  }
}

export function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
