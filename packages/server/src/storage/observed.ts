/** A store whose calls are counted. */
import type { Readable } from 'node:stream';
import type { Observer, StorageOperation, StorageResult } from '../observer.ts';
import { FileMissing, type Storage, type StoredAttempt, type StoredFile } from './storage.ts';

/** A store whose calls are told to an observer: which, with which result, and how long each took. */
export class ObservedStorage implements Storage {
  readonly #inner: Storage;
  readonly #observer: Pick<Observer, 'storageCalled'>;

  constructor(inner: Storage, observer: Pick<Observer, 'storageCalled'>) {
    this.#inner = inner;
    this.#observer = observer;
  }

  get location(): string {
    return this.#inner.location;
  }

  write(key: string, content: Readable, signal: AbortSignal): Promise<StoredFile> {
    return this.#observe('write', () => this.#inner.write(key, content, signal), signal);
  }

  syncDirectories(prefix: string): Promise<void> {
    return this.#observe('sync', () => this.#inner.syncDirectories(prefix));
  }

  /** Counts until the first bytes can be read; how long they take is the reader's pace. */
  read(key: string, range?: { start: number; end: number }): Promise<Readable> {
    return this.#observe('read', () => this.#inner.read(key, range));
  }

  removePrefix(prefix: string): Promise<void> {
    return this.#observe('remove', () => this.#inner.removePrefix(prefix));
  }

  /** Counts one call for the whole listing, without the time that its reader takes. */
  async *listAttempts(): AsyncIterable<StoredAttempt> {
    const attempts = this.#inner.listAttempts()[Symbol.asyncIterator]();
    let ms = 0;
    let result: StorageResult = 'ok';
    const next = async (): Promise<IteratorResult<StoredAttempt>> => {
      const asked = performance.now();
      try {
        return await attempts.next();
      } catch (error) {
        result = 'error';
        throw error;
      } finally {
        ms += performance.now() - asked;
      }
    };
    try {
      for (let each = await next(); !each.done; each = await next()) yield each.value;
    } finally {
      this.#observer.storageCalled('list', result, ms);
      await attempts.return?.();
    }
  }

  readIdentity(): Promise<string | null> {
    return this.#observe('identity', () => this.#inner.readIdentity());
  }

  createIdentity(id: string): Promise<boolean> {
    return this.#observe('identity', () => this.#inner.createIdentity(id));
  }

  check(): Promise<void> {
    return this.#observe('check', () => this.#inner.check());
  }

  readFreeBytes(): Promise<number | null> {
    return this.#inner.readFreeBytes();
  }

  async #observe<T>(
    operation: StorageOperation,
    call: () => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const started = performance.now();
    const ended = (result: StorageResult): void =>
      this.#observer.storageCalled(operation, result, performance.now() - started);
    try {
      const value = await call();
      ended('ok');
      return value;
    } catch (error) {
      ended(error instanceof FileMissing ? 'missing' : signal?.aborted ? 'aborted' : 'error');
      throw error;
    }
  }
}
