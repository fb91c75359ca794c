import type { Members } from '../json/members.ts';
import type { StoredFile } from './journal.ts';

/** Where the files of one range's export go; a kind for each way of keeping them. */
export interface RangeStore {
  /** Begins the served file at `position`, anew if need be. */
  begin(position: number): SegmentWriter;
  /** All files are there: syncs them. @returns them under the names that they are meant to have. */
  finish(): Promise<{ files: StoredFile[] }>;
  /** Where a file lies until it is moved under its name. */
  partOf(path: string): string;
  /** Closes what is open; what is on disk stays, to be gone on with. */
  close(): Promise<void>;
}

/** What a segment leaves behind once it is on disk. */
export interface Written {
  end?: number;
  digest?: string;
  file?: StoredFile;
}

/** Takes one served file. All of it, or after `abandon` nothing, ends up in the store. */
export interface SegmentWriter {
  /** The bytes as they came. They are not to be changed. */
  bytes(chunk: Uint8Array): void;
  /** An object among them. The buffer may be written to: nobody else reads it any more. */
  object(buffer: Buffer, start: number, end: number, members: Members): void;
  /** Resolves when more may come: what is held in memory is bounded. */
  relieve(): Promise<void>;
  /** To be called when all came and was found good; segments are committed in their order. */
  commit(record: (written: Written) => Promise<void>, counted: Counted): Promise<void>;
  abandon(): Promise<void>;
}

export interface Counted {
  objects: number;
  first: number | null;
  last: number | null;
}
