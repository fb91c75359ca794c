/** The layouts of an export's files. */
import type { ExportFormat } from '@tillroll/contract';

/** The text around the objects of a file. */
export interface Framing {
  readonly open: Buffer;
  readonly separator: Buffer;
  readonly close: Buffer;
  /** Each object is on a line of its own: line breaks between its tokens are left out. */
  readonly isLines: boolean;
}

export const FRAMINGS: Readonly<Record<ExportFormat, Framing>> = {
  json: {
    open: Buffer.from('{"elements":['),
    separator: Buffer.from(','),
    close: Buffer.from(']}'),
    isLines: false,
  },
  jsonl: {
    open: Buffer.alloc(0),
    separator: Buffer.from('\n'),
    close: Buffer.from('\n'),
    isLines: true,
  },
};

/** The layout in which an export's objects become files. */
export interface FileLayout {
  readonly format: ExportFormat;
  readonly objectsPerFile: number;
}
