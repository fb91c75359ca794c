import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConvertedFile } from '@tillroll/client/files';
import { partOf, place, removePart } from './place.ts';
import { record } from './csv-text.ts';
import { OTHER, columnsOf, type Column, type Table } from './tables.ts';

/** Characters that are gathered before they are written. */
const ENOUGH = 256 * 1024;

/** One table's file while it grows. */
export class CsvFile {
  readonly columns: Column[];
  rows = 0;
  private text: string;
  private file: FileHandle | undefined;
  private readonly path: string;
  private readonly name: string;

  constructor(table: Table, out: string) {
    this.columns = columnsOf(table);
    this.name = table.name;
    this.path = join(out, `${table.name}.csv`);
    this.text = `${[...this.columns.map(({ name }) => name), OTHER].join(',')}\r\n`;
  }

  async open(): Promise<void> {
    this.file = await open(partOf(this.path), 'w');
  }

  /** @param values JSON texts, by column. */
  add(values: readonly (string | undefined)[], other: string | undefined): void {
    this.rows++;
    this.text += record(this.columns, values, other);
  }

  /** Writes what was gathered, when it is much or `all` is asked for. */
  async write(all = false): Promise<void> {
    if (this.text === '' || (!all && this.text.length < ENOUGH)) return;
    const { text } = this;
    this.text = '';
    await this.file?.writeFile(text);
  }

  /** Makes the file permanent. */
  async finish(): Promise<ConvertedFile> {
    await place(this.path);
    return { path: `${this.name}.csv`, table: this.name, rows: this.rows };
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
  }

  async remove(): Promise<void> {
    await this.close();
    await removePart(this.path);
  }
}
