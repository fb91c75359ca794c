/** Writes one CSV file. */
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { tablePath, type Conversion, type ConvertedTable } from '@tillroll/client/files';
import { choose, chosenNames } from '../columns.ts';
import type { Row } from '../row.ts';
import { OTHER } from '../tables.ts';
import type { ColumnType, Table } from '../table-types.ts';
import { writeField, writeValue } from './csv-text.ts';

/** Characters that are gathered before they are written. */
const WRITE_LENGTH = 256 * 1024;
const BYTE_ORDER_MARK = '\uFEFF';

/** A column of the file, and where its value comes from. */
interface Field {
  name: string;
  type: ColumnType;
  source: 'key' | 'row' | 'other';
}

/** One table's file while it grows: RFC 4180, the first record being the names of the columns. */
export class CsvFile implements AsyncDisposable {
  readonly #table: string;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #fields: readonly Field[];
  #rows = 0;
  #text: string;

  /** @param month `2026-01`. */
  static async create(
    table: Table,
    month: string,
    { out, columns, csvBom }: Pick<Conversion, 'out' | 'columns' | 'csvBom'>,
  ): Promise<CsvFile> {
    const all: Field[] = [
      ...table.keys.map(({ name, type }) => ({ name, type, source: 'key' as const })),
      ...table.columns.map(({ name, type }) => ({ name, type, source: 'row' as const })),
      { name: OTHER, type: 'VARCHAR', source: 'other' },
    ];
    const fields = choose(all, chosenNames(columns, table.name));
    const path = tablePath('csv', table.name, month);
    await mkdir(join(out, dirname(path)), { recursive: true });
    const file = await open(join(out, path), 'w');
    return new CsvFile(table.name, path, file, fields, csvBom);
  }

  private constructor(
    table: string,
    path: string,
    file: FileHandle,
    fields: readonly Field[],
    hasMark: boolean,
  ) {
    this.#table = table;
    this.#path = path;
    this.#file = file;
    this.#fields = fields;
    const header = fields.map(({ name }) => name).join(',');
    this.#text = `${hasMark ? BYTE_ORDER_MARK : ''}${header}\r\n`;
  }

  /** @param keys the values of the table's key columns, as JSON texts. */
  add({ values, other }: Row, keys: Record<string, string | undefined>): void {
    this.#rows++;
    let record = '';
    let separator = '';
    for (const { name, type, source } of this.#fields) {
      record += separator;
      separator = ',';
      if (source === 'other') record += other === undefined ? '' : writeField(other);
      else record += writeValue(type, source === 'key' ? keys[name] : values[name]);
    }
    this.#text += `${record}\r\n`;
  }

  /** Writes what was gathered, when it is much. */
  async write(): Promise<void> {
    if (this.#text.length >= WRITE_LENGTH) await this.#writeAll();
  }

  /** Writes what is left. */
  async finish(): Promise<ConvertedTable> {
    await this.#writeAll();
    return { path: this.#path, table: this.#table, rows: this.#rows };
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
