import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { DirectoryStorage } from '../../src/storage/directory.ts';
import type { Storage, StoredAttempt, StoredFile } from '../../src/storage/storage.ts';
import type { Place } from './place.ts';

/** A place's real storage whose writes do something of the test's first. */
export class HookedStorage implements Storage {
  readonly #inner: DirectoryStorage;
  readonly location: string;
  readonly #beforeWrite: (key: string, signal: AbortSignal) => Promise<void>;
  constructor(place: Place, beforeWrite: (key: string, signal: AbortSignal) => Promise<void>) {
    this.#inner = new DirectoryStorage(join(place.dataDir, 'files'));
    this.location = this.#inner.location;
    this.#beforeWrite = beforeWrite;
  }

  async write(key: string, content: Readable, signal: AbortSignal): Promise<StoredFile> {
    await this.#beforeWrite(key, signal);
    return this.#inner.write(key, content, signal);
  }
  syncDirectories(prefix: string): Promise<void> {
    return this.#inner.syncDirectories(prefix);
  }
  read(key: string, range?: { start: number; end: number }): Promise<Readable> {
    return this.#inner.read(key, range);
  }
  removePrefix(prefix: string): Promise<void> {
    return this.#inner.removePrefix(prefix);
  }
  listAttempts(): AsyncIterable<StoredAttempt> {
    return this.#inner.listAttempts();
  }
  readIdentity(): Promise<string | null> {
    return this.#inner.readIdentity();
  }
  createIdentity(id: string): Promise<boolean> {
    return this.#inner.createIdentity(id);
  }
  check(): Promise<void> {
    return this.#inner.check();
  }
  readFreeBytes(): Promise<number> {
    return this.#inner.readFreeBytes();
  }
}

/** Waits for what the test opens, or for the end of the attempt. */
export async function heldBy(opened: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    await Promise.race([opened, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** A storage that writes only as many files as it has been allowed to. */
export class Permits {
  #free = 0;
  readonly #waiting: (() => void)[] = [];

  release(count: number): void {
    this.#free += count;
    while (this.#free > 0 && this.#waiting.length > 0) {
      this.#free--;
      this.#waiting.shift()?.();
    }
  }

  take(): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}
