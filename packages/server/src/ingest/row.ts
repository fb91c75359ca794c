/** Makes a checked row of a line. */
import { isUtf8 } from 'node:buffer';
import { DAY_MS, type ExportType } from '@tillroll/contract';
import { describeBeginning, shownBytes } from './describe-fault.ts';
import { BadLine } from './errors.ts';
import type { Line } from './lines.ts';
import { RELATIONS, type Column } from './relations.ts';
import { Scanner } from './scan.ts';
import { SHAPES } from './shape.ts';
import { parseInteger, TIME_ALLOWED } from './written-number.ts';

/** One line, checked, ready to be stored. */
export interface Row {
  line: number;
  id: string;
  createdTime: number;
  modifiedTime: number;
  /** In the order of the relation's columns. */
  values: (string | number | null)[];
  /** The line's exact bytes. */
  object: Buffer;
}

const MAX_ID_BYTES = 64;
const MAX_TEXT_LENGTH = 64;
// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const CONTROL = /[\u0000-\u001f\u007f]/;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;

/** A clock that is a day ahead is a fault; a smaller lead happens. */
export const MAX_LEAD_MS = DAY_MS;

function shown(bytes: Buffer | null): string {
  return bytes === null ? 'nothing' : shownBytes(bytes, 0, bytes.length);
}

/** The value of a JSON string. */
function parseText(bytes: Buffer): string {
  return bytes.includes(BACKSLASH)
    ? (JSON.parse(bytes.toString('utf8')) as string)
    : bytes.toString('utf8', 1, bytes.length - 1);
}

export const ID_ALLOWED = `a string of 1 to ${MAX_ID_BYTES} bytes without control characters`;

/** Tells whether a text can be the id of an object. */
export function isObjectId(id: string): boolean {
  return (
    id !== '' && Buffer.byteLength(id) <= MAX_ID_BYTES && id.isWellFormed() && !CONTROL.test(id)
  );
}

/** Turns the lines of one upload into rows. */
export class RowParser {
  readonly #scanner: Scanner;
  readonly #columns: readonly Column[];
  readonly #now: number;
  #number = 0;

  /** @param now PostgreSQL's clock when the upload began, epoch milliseconds. */
  constructor(type: ExportType, now: number) {
    this.#scanner = new Scanner(SHAPES[type]);
    this.#columns = RELATIONS[type].columns;
    this.#now = now;
  }

  /**
   * Checks one line. Members that neither Tillroll nor a format reads may be anything; the object
   * itself is kept byte for byte.
   * @throws BadLine naming line, member, what was sent and what is allowed.
   */
  parse(line: Line): Row {
    this.#number = line.number;
    if (!isUtf8(line.bytes))
      throw new BadLine(line.number, describeBeginning(line.bytes) ?? 'not valid UTF-8');
    this.#scanner.scan(line);
    const id = this.#id(line);
    const createdTime = this.#time('createdTime');
    if (createdTime === null) this.#refuse('createdTime', null, TIME_ALLOWED);
    const modified = this.#time('modifiedTime');
    const modifiedTime = modified ?? createdTime;
    if (modifiedTime > this.#now + MAX_LEAD_MS) {
      const member =
        modified === null ? 'createdTime, which stands for modifiedTime,' : 'modifiedTime';
      const sent = Buffer.from(String(modifiedTime));
      this.#refuse(member, sent, `at most one day after now (${this.#now})`);
    }
    const values = this.#columns.map((column) => this.#value(column));
    return { line: line.number, id, createdTime, modifiedTime, values, object: line.bytes };
  }

  #id(line: Line): string {
    const bytes = this.#scanner.findBytes('id');
    const id = bytes === null ? '' : parseText(bytes);
    if (isObjectId(id)) return id;
    if (bytes === null && isEnvelope(line.bytes)) {
      throw new BadLine(
        line.number,
        'this is an envelope {"elements":[...]}, as files of exports are; send each of its objects on a line of its own',
      );
    }
    this.#refuse('id', bytes, ID_ALLOWED);
  }

  #time(member: string): number | null {
    const bytes = this.#scanner.findBytes(member);
    return bytes === null ? null : parseInteger(bytes, 0, bytes.length);
  }

  /** The scanner has seen that an integer is one. */
  #value({ member, kind }: Column): string | number | null {
    const bytes = this.#scanner.findBytes(member);
    if (bytes === null) return null;
    if (kind === 'integer') return parseInteger(bytes, 0, bytes.length);
    const text = bytes[0] === QUOTE ? parseText(bytes) : null;
    if (text !== null && text.length <= MAX_TEXT_LENGTH && !CONTROL.test(text)) return text;
    this.#refuse(member, bytes, `a string of at most ${MAX_TEXT_LENGTH} characters, or absent`);
  }

  #refuse(member: string, bytes: Buffer | null, allowed: string): never {
    throw new BadLine(this.#number, `${member} must be ${allowed}; got ${shown(bytes)}`);
  }
}

/** Tells whether an object begins like a file of an export. */
function isEnvelope(bytes: Buffer): boolean {
  const opening = /^\s*\{\s*"elements"\s*:\s*/.exec(bytes.toString('latin1', 0, 256))?.[0];
  return opening !== undefined && bytes[opening.length] === OPEN_ARRAY;
}
