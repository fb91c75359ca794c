/** Checks that a raw file is complete, valid, and the one of the manifest. */
import { createHash, type Hash } from 'node:crypto';
import type { ExportFile } from '@tillroll/contract';
import { ExportError } from '../errors.ts';
import { ObjectReader, type OnObject } from '../json/object-reader.ts';

/** Longest content of a file whose length is not announced. */
const MAX_CONTENT_BYTES = 8 * 1024 ** 3;

/** The content of a file, counted and inflated. */
export interface FileContent {
  objects: number;
  bytes: number;
  /** Hex; undefined when nothing is expected. */
  sha256: string | undefined;
}

/** Chooses the number of bytes that a file may inflate to. */
export function chooseContentLimit(expected: ExportFile | undefined): number {
  return expected?.bytes ?? MAX_CONTENT_BYTES;
}

/** Checks the content of one file, `{"elements":[...]}`, while its inflated bytes go by. */
export class ContentChecker {
  readonly #expected: ExportFile | undefined;
  /** Undefined when the sum is known or not needed. */
  readonly #hash: Hash | undefined;
  readonly #sha256: string | undefined;
  readonly #reader: ObjectReader;
  #bytes = 0;

  /** @param sha256 of the whole content, where it was computed before. */
  constructor(expected: ExportFile | undefined, onObject: OnObject, sha256?: string) {
    this.#expected = expected;
    this.#sha256 = sha256;
    if (expected && sha256 === undefined) this.#hash = createHash('sha256');
    this.#reader = new ObjectReader('elements', onObject);
  }

  /** @param chunk must not be written to afterwards. @throws ExportError BAD_FILE */
  push(chunk: Buffer): void {
    this.#hash?.update(chunk);
    this.#bytes += chunk.length;
    this.#reader.push(chunk);
  }

  /** Ends the check. @throws ExportError BAD_FILE when the file is incomplete, or not the one of the manifest. */
  end(): FileContent {
    this.#reader.end();
    const sha256 = this.#sha256 ?? this.#hash?.digest('hex');
    const content = { objects: this.#reader.objects, bytes: this.#bytes, sha256 };
    verifyAgainstManifest(this.#expected, content);
    return content;
  }
}

/** Compares a file with its manifest entry. @throws ExportError BAD_FILE when it is not the one of the export's manifest. */
function verifyAgainstManifest(
  expected: ExportFile | undefined,
  { objects, bytes, sha256 }: FileContent,
): void {
  if (!expected) return;
  const fault = (message: string): ExportError => new ExportError('BAD_FILE', message);
  if (expected.objects !== objects)
    throw fault(`it holds ${objects} objects, and the manifest says ${expected.objects}`);
  if (expected.bytes !== bytes) throw fault(`it has ${bytes} bytes of ${expected.bytes}`);
  if (expected.sha256 !== sha256)
    throw fault(`its SHA-256 is ${sha256}, and the manifest says ${expected.sha256}`);
}
