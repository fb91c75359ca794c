/** The interface of a store of files. */
import type { Readable } from 'node:stream';

/**
 * The store of the files of exports. A key is `<export id>/<attempt>/<position>.<format>.gz`, made by
 * `keys.ts` alone and never from what a caller sent.
 *
 * Nothing under an attempt's prefix is visible to a client before the manifest is committed, so a
 * half-written file needs no other name; it is removed with its prefix.
 */
export interface Storage {
  /** Its directory or address for people, never with a secret. */
  readonly location: string;
  /** Writes a whole file and makes it durable. */
  write(key: string, content: Readable, signal: AbortSignal): Promise<StoredFile>;
  /** Makes the names of all files below a prefix durable; once, after the last of them. */
  syncDirectories(prefix: string): Promise<void>;
  /** The bytes `start..end` of a file, both inclusive. @throws FileMissing */
  read(key: string, range?: { start: number; end: number }): Promise<Readable>;
  /** Removes everything under a prefix; removing what is not there does nothing. */
  removePrefix(prefix: string): Promise<void>;
  /** The attempts that have anything stored. */
  listAttempts(): AsyncIterable<StoredAttempt>;
  /** The id that `createIdentity` gave this store; null when there is none, or no store. */
  readIdentity(): Promise<string | null>;
  /** Gives the store an id, once. @returns false when it has one already. */
  createIdentity(id: string): Promise<boolean>;
  /** Writes something and takes it back; leaves nothing. @throws with the reason when files cannot be written. */
  check(): Promise<void>;
  /** Bytes that may still be written; null where the store does not say so. */
  readFreeBytes(): Promise<number | null>;
}

/** A file once it is durable. */
export interface StoredFile {
  /** Bytes as stored. */
  readonly bytes: number;
  /** The ETag that the store itself gives the file, with its quotes; null when the store has none. */
  readonly etag: string | null;
}

export interface StoredAttempt {
  exportId: string;
  attempt: number;
}

/** There is no such file: its export expired or was purged, or the file was lost. */
export class FileMissing extends Error {
  override name = 'FileMissing';
}
