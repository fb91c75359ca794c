/** Reads one scanned object as a row with the rows below it. */
import { parseWholeNumber } from '@tillroll/contract';
import { TAPE, type CompiledTable, type Scanner } from '@tillroll/client/json';
import { Nested, writeJson } from './nested.ts';
import { OTHER } from './tables.ts';
import type { ColumnType, Rows } from './table-types.ts';
import { Unmapped } from './unmapped.ts';

/** One object: a row, and the rows below it. */
export interface Row {
  /**
   * By the column's name: the JSON text as it came, of a number its digits alone. One without a value, or null, is not
   * there.
   */
  values: Record<string, string>;
  /** By the list's name. */
  lists: Record<string, Row[]>;
  /** A JSON object of the members that no column holds. */
  other: string | undefined;
}

const NUMBERS: ReadonlySet<ColumnType> = new Set(['BIGINT', 'TIMESTAMPTZ']);

/** The object that was scanned last, as rows. @param rows the declaration that `table` was compiled from. */
export function readRow(
  { tape, length, hasUnusualNumbers }: Scanner,
  { shapes }: CompiledTable,
  rows: Rows,
  bytes: Buffer,
): Row {
  let at = 0;

  function read({ columns, lists }: Rows): Row {
    const row: Row = { values: {}, lists: {}, other: undefined };
    let unmapped: Unmapped | undefined;
    for (; at < length && tape[at] !== TAPE.CLOSE; at += 4) {
      const a = tape[at + 1] as number;
      if (tape[at] === TAPE.OPEN) {
        const list = lists[a] as Rows['lists'][number];
        at += 4;
        (row.lists[list.name] ??= []).push(read(list.rows));
        continue;
      }
      const text = bytes.toString('utf8', tape[at + 2], tape[at + 3]);
      const column = columns[a];
      if (tape[at] === TAPE.VALUE && column)
        row.values[column.name] =
          hasUnusualNumbers && NUMBERS.has(column.type) ? String(parseWholeNumber(text)) : text;
      else (unmapped ??= new Unmapped()).add(shapes[a]?.path ?? [], text);
    }
    row.other = unmapped?.toJson();
    return row;
  }

  return read(rows);
}

/** The row in the shape that it came in, with `other` as one more member, a text: for DuckDB's reader. */
export function writeRow({ values, lists, other }: Row, rows: Rows): string {
  const object = new Nested<string>();
  const add = (path: readonly string[], text: string | undefined) => {
    if (text !== undefined) object.add(path.slice(0, -1), `${JSON.stringify(path.at(-1))}:${text}`);
  };
  for (const { name, from } of rows.columns) add(from.split('.'), values[name]);
  for (const { name, from, rows: inner } of rows.lists) {
    const items = lists[name]?.map((row) => writeRow(row, inner));
    add([from, 'elements'], items && `[${items.join(',')}]`);
  }
  add([OTHER], other && JSON.stringify(other));
  return writeJson(object);
}
