/** Parts and files of one month to assemble, and what must become of them. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ExportFile } from '@tillroll/contract';
import { Assembly, type AssemblyOptions } from '../src/assemble/assembly.ts';
import type { AssembledFile, AssemblyJob, PartInput } from '../src/assemble/job.ts';
import { Counter, type Tally } from '../src/assemble/tally.ts';
import { emptyMembers } from '../src/json/members.ts';
import { type Sale, sha256, temporary, UTC } from './output-directory.ts';

export const START = Date.UTC(2026, 0, 1);

export const COVERS = [{ startTime: START, endTime: Date.UTC(2026, 1, 1) }];

export function sale(id: string, at: number, more: Partial<Sale> = {}): Sale {
  return { id, createdTime: START + at, currency: 'USD', total: 100 + at, ...more };
}

/** Parts and files of one test, in a folder of its own. */
export class AssemblyScene {
  readonly folder = temporary();
  readonly output = join(this.folder, 'lines');
  readonly ids = join(this.folder, 'ids');
  #parts = 0;

  job(more: Partial<AssemblyJob> = {}): AssemblyJob {
    return {
      type: 'ORDERS',
      timezone: 'UTC',
      gzip: false,
      mode: 0o600,
      output: this.output,
      ids: this.ids,
      covers: COVERS,
      dropsAt: null,
      existing: undefined,
      exclude: [],
      ...more,
    };
  }

  /** Writes a raw part. */
  part(
    exportId: string,
    sales: readonly Sale[],
    served: string | Buffer = elements(sales),
  ): PartInput {
    const path = join(this.folder, `part-${this.#parts++}`);
    writeFileSync(path, served);
    return { path, exportId, expected: undefined };
  }

  async assemble(
    parts: readonly PartInput[],
    more: Partial<AssemblyJob> = {},
    options: AssemblyOptions = {},
  ): Promise<AssembledFile> {
    const assembly = await Assembly.begin(this.job(more), options);
    try {
      for (const part of parts) await assembly.add(part);
      return await assembly.finish();
    } catch (error) {
      await assembly.abort();
      throw error;
    }
  }

  /** A month's file that is there already. */
  existing(sales: readonly Sale[], gzip = false): NonNullable<AssemblyJob['existing']> {
    const path = join(this.folder, 'existing');
    const lines = Buffer.from(joinLines(sales));
    const bytes = gzip ? gzipSync(lines) : lines;
    writeFileSync(path, bytes);
    return { path, gzip, sha256: sha256(bytes) };
  }

  lines(): string {
    return readFileSync(this.output, 'utf8');
  }
}

export const elements = (sales: readonly Sale[]): string => JSON.stringify({ elements: sales });

export const joinLines = (sales: readonly Sale[]): string =>
  sales.map((each) => `${JSON.stringify(each)}\n`).join('');

export const parseIds = (lines: string): string[] =>
  lines
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as Sale).id);

export function countSales(sales: readonly Sale[]): Tally {
  const counter = new Counter('ORDERS', COVERS, UTC);
  for (const each of sales) counter.add({ ...emptyMembers(), ...each });
  return counter.tally;
}

export function expectedFor(content: string, objects: number): ExportFile {
  const bytes = Buffer.from(content);
  return { objects, bytes: bytes.length, sha256: sha256(bytes) } as ExportFile;
}
