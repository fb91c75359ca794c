/** A line with the members that a test adds, and the reason for which it is refused. */

import type { ExportType } from '@tillroll/contract';
import { BadLine } from '../src/ingest/errors.ts';
import { RowParser } from '../src/ingest/row.ts';

export const NOW = 1_790_000_000_000;

export const T = 1_767_225_600_000;

export const HEAD = `"id":"A","createdTime":${T}`;

/** Null when the line is accepted, else the reason without the words that all of them share. */
export function refusal(text: string | Buffer, type: ExportType = 'ORDERS'): string | null {
  try {
    new RowParser(type, NOW).parse({ number: 3, bytes: Buffer.from(text) });
    return null;
  } catch (error) {
    if (!(error instanceof BadLine)) throw error;
    const [, reason] =
      /^line 3: (.*); nothing of this request was stored$/s.exec(error.message) ?? [];
    if (reason === undefined) throw error;
    return reason;
  }
}

export const object = (members: string): string => `{${HEAD},${members}}`;
