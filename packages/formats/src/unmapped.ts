/** Gathers the members that no column holds, for the column `other`. */
import { TAPE, type CompiledTable, type Scanner } from '@tillroll/client/json';
import { Nested, writeJson } from './nested.ts';
import { OTHER } from './tables.ts';

/** The members of a row that no column holds, as the text of its column `other`. */
export class Unmapped {
  readonly #nested = new Nested<string>();

  /** @param path of the object that the member stands in. @param member JSON text of name and value. */
  add(path: readonly string[], member: string): void {
    this.#nested.add(path, member);
  }

  /**
   * A JSON object. Half a surrogate pair, which JSON can write and UTF-8 cannot, would make DuckDB
   * refuse all of it: it stays readable as the six characters that it was written with.
   */
  toJson(): string {
    const json = writeJson(this.#nested);
    if (!json.includes('\\')) return json;
    return json.replaceAll(
      /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u[dD][89a-fA-F][\da-fA-F]{2})|[^])/g,
      (escape, half: string | undefined) => (half === undefined ? escape : `\\\\${half}`),
    );
  }
}

/** A text to insert into a line, so that one of its rows has its `other`. */
export interface Insertion {
  /** Position in the bytes that were scanned. */
  at: number;
  text: string;
}

/** Cheaper than to write the line anew, and enough where a reader passes over unknown members. */
export function listInsertions(
  { tape, length }: Scanner,
  { shapes }: CompiledTable,
  bytes: Buffer,
  /** Of the object's closing brace. */
  close: number,
): Insertion[] {
  const insertions: Insertion[] = [];
  const rows: (Unmapped | undefined)[] = [undefined];
  const endRow = (at: number) => {
    const unmapped = rows.pop();
    // The row is not empty: a comma is right.
    if (unmapped) insertions.push({ at, text: `,"${OTHER}":${JSON.stringify(unmapped.toJson())}` });
  };
  for (let at = 0; at < length; at += 4) {
    const a = tape[at + 1] as number;
    if (tape[at] === TAPE.OPEN) rows.push(undefined);
    else if (tape[at] === TAPE.CLOSE) endRow(a);
    else if (tape[at] === TAPE.OTHER) {
      const unmapped = rows.pop() ?? new Unmapped();
      unmapped.add(shapes[a]?.path ?? [], bytes.toString('utf8', tape[at + 2], tape[at + 3]));
      rows.push(unmapped);
    }
  }
  endRow(close);
  return insertions;
}
