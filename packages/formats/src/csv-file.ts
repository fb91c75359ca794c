import { mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ConvertedTable } from '@tillroll/client/files';
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
  private readonly out: string;
  private readonly path: string;
  private readonly name: string;

  /** @param out absolute. @param month `2026-01`. */
  constructor(table: Table, out: string, month: string) {
    this.columns = columnsOf(table);
    this.name = table.name;
    this.out = out;
    this.path = `${table.name}/${month}.csv`;
    this.text = `${[...this.columns.map(({ name }) => name), OTHER].join(',')}\r\n`;
  }

  async open(): Promise<void> {
    const path = join(this.out, this.path);
    await mkdir(dirname(path), { recursive: true });
    this.file = await open(path, 'w');
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

  /** Writes what is left. */
  async finish(): Promise<ConvertedTable> {
    await this.write(true);
    await this.close();
    return { path: this.path, table: this.name, rows: this.rows };
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
  }

  async remove(): Promise<void> {
    await this.close();
    await rm(join(this.out, this.path), { force: true });
  }
}
