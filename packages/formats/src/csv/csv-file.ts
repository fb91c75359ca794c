import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ConvertedTable } from '@tillroll/client/files';
import type { Row } from '../row.ts';
import { OTHER, columnsOf, type Table } from '../tables.ts';
import { writeField, writeValue } from './csv-text.ts';

/** Characters that are gathered before they are written. */
const WRITE_LENGTH = 256 * 1024;

/** One table's file while it grows: RFC 4180, the first record being the names of the columns. */
export class CsvFile implements AsyncDisposable {
  readonly #table: Table;
  readonly #path: string;
  readonly #file: FileHandle;
  #rows = 0;
  #text: string;

  /** @param out absolute. @param month `2026-01`. */
  static async create(table: Table, out: string, month: string): Promise<CsvFile> {
    const path = `${table.name}/${month}.csv`;
    await mkdir(join(out, dirname(path)), { recursive: true });
    return new CsvFile(table, path, await open(join(out, path), 'w'));
  }

  private constructor(table: Table, path: string, file: FileHandle) {
    this.#table = table;
    this.#path = path;
    this.#file = file;
    this.#text = `${[...columnsOf(table).map(({ name }) => name), OTHER].join(',')}\r\n`;
  }

  /** @param keys the values of the table's key columns, as JSON texts. */
  add({ values, other }: Row, keys: Record<string, string | undefined>): void {
    this.#rows++;
    let record = '';
    for (const { name, type } of this.#table.keys) record += `${writeValue(type, keys[name])},`;
    for (const { name, type } of this.#table.columns)
      record += `${writeValue(type, values[name])},`;
    this.#text += `${record}${other === undefined ? '' : writeField(other)}\r\n`;
  }

  /** Writes what was gathered, when it is much. */
  async write(): Promise<void> {
    if (this.#text.length >= WRITE_LENGTH) await this.#writeAll();
  }

  /** Writes what is left. */
  async finish(): Promise<ConvertedTable> {
    await this.#writeAll();
    return { path: this.#path, table: this.#table.name, rows: this.#rows };
  }

  async #writeAll(): Promise<void> {
    const text = this.#text;
    this.#text = '';
    await this.#file.writeFile(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
