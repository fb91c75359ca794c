/** Cursors of changes: opaque to clients, and good for one merchant and type alone (wire contract, "Changes and deletions"). */
import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { ExportType } from '@tillroll/contract';

/** A place among the loads of a merchant and type. */
export interface ChangePoint {
  /** The number of the last load whose changes are known. 0: none was ever made. */
  readonly number: number;
  /** The random mark of that load; empty for number 0. */
  readonly mark: string;
}

/** Whose changes a cursor is about. */
export interface ChangeFeed {
  readonly merchantId: string;
  readonly type: ExportType;
}

const TEXT = /^([0-9]{1,16})\.([0-9a-f]{32}|)\.([A-Za-z0-9_-]{22})$/;
const MAC_BYTES = 16;

/** Makes and reads cursors under a key of the database: those of another database are not ours. */
export class Cursors {
  readonly #key: KeyObject;

  constructor(key: string) {
    this.#key = createSecretKey(key, 'utf8');
  }

  encode(feed: ChangeFeed, { number, mark }: ChangePoint): string {
    const text = `${number}.${mark.replaceAll('-', '')}`;
    return Buffer.from(`${text}.${this.#mac(feed, text).toString('base64url')}`).toString(
      'base64url',
    );
  }

  /** @returns null unless it is a cursor of this database, merchant and type, as it was given out. */
  decode(feed: ChangeFeed, cursor: string): ChangePoint | null {
    const text = Buffer.from(cursor, 'base64url').toString('latin1');
    if (Buffer.from(text, 'latin1').toString('base64url') !== cursor) return null;
    const [, number, mark, mac] = TEXT.exec(text) ?? [];
    if (number === undefined || mark === undefined || mac === undefined) return null;
    // Compared as texts: the last character of base64url has bits that decoding drops.
    const expected = Buffer.from(this.#mac(feed, `${number}.${mark}`).toString('base64url'));
    const sent = Buffer.from(mac);
    if (sent.length !== expected.length || !timingSafeEqual(sent, expected)) return null;
    return { number: Number(number), mark };
  }

  #mac({ merchantId, type }: ChangeFeed, text: string): Buffer {
    return createHmac('sha256', this.#key)
      .update(`cursor\n${merchantId}\n${type}\n${text}`)
      .digest()
      .subarray(0, MAC_BYTES);
  }
}
