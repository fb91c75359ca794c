import { TAPE, type Scanner } from './scanner.ts';
import { compileTable } from './shape.ts';
import { isDigit } from './validator.ts';
import { MINUS, ZERO } from './bytes.ts';

/** What is read of each object while its bytes go by. Money is in minor units, times are epoch ms. */
export interface Members {
  id: string;
  createdTime: number;
  /** `createdTime` where the object has none. */
  modifiedTime: number;
  currency: string;
  result: string;
  total: number;
  amount: number;
  tipAmount: number;
  taxAmount: number;
  /** Whether the object holds line breaks outside its strings. */
  hasBreaks: boolean;
}

export const NUMBER_MEMBERS = [
  'createdTime',
  'modifiedTime',
  'total',
  'amount',
  'tipAmount',
  'taxAmount',
] as const;
export const TEXT_MEMBERS = ['id', 'currency', 'result'] as const;

/** Where a member stands twice, the last one counts; also when that one is of another type. */
export const MEMBER_TABLE = compileTable(
  {
    columns: [
      ...TEXT_MEMBERS.map((from) => ({ from, type: 'STRING' as const })),
      ...NUMBER_MEMBERS.map((from) => ({ from, type: 'NUMBER' as const })),
    ],
    parents: [],
    lists: [],
  },
  false,
);

/** NaN and the empty string stand for a member that is not there, or is of another type. */
export function emptyMembers(): Members {
  const members = {} as Members;
  clear(members);
  return members;
}

/** One by one: `Object.assign` would cost more than reading an object's members. */
function clear(m: Members): void {
  m.id = '';
  m.createdTime = Number.NaN;
  m.modifiedTime = Number.NaN;
  m.currency = '';
  m.result = '';
  m.total = Number.NaN;
  m.amount = Number.NaN;
  m.tipAmount = Number.NaN;
  m.taxAmount = Number.NaN;
  m.hasBreaks = false;
}

/** Fills `m` with what a scanner of `MEMBER_TABLE` found last. */
export function readMembers({ tape, length, hasBreaks }: Scanner, b: Buffer, m: Members): void {
  clear(m);
  m.hasBreaks = hasBreaks;
  for (let at = 0; at < length; at += 4) {
    if (tape[at] !== TAPE.VALUE) continue;
    const column = tape[at + 1] as number;
    const start = tape[at + 2] as number;
    const end = tape[at + 3] as number;
    if (column < TEXT_MEMBERS.length)
      setText(
        m,
        column,
        start === end ? '' : column === 0 ? textAt(b, start, end) : labelAt(b, start, end),
      );
    else setNumber(m, column, start === end ? Number.NaN : integerAt(b, start, end));
  }
}

function setText(m: Members, column: number, value: string): void {
  if (column === 0) m.id = value;
  else if (column === 1) m.currency = value;
  else m.result = value;
}

function setNumber(m: Members, column: number, value: number): void {
  if (column === 3) m.createdTime = value;
  else if (column === 4) m.modifiedTime = value;
  else if (column === 5) m.total = value;
  else if (column === 6) m.amount = value;
  else if (column === 7) m.tipAmount = value;
  else m.taxAmount = value;
}

/** The value of a string that stands, with its quotes, from `start` to `end`. */
function textAt(b: Buffer, start: number, end: number): string {
  const text = b.toString('utf8', start + 1, end - 1);
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}

/** The last short texts, by length: an object's currency and result are mostly those of the object before. */
const labels: { bytes: Buffer; text: string }[] = [];

function labelAt(b: Buffer, start: number, end: number): string {
  const length = end - start;
  const known = labels[length];
  if (known) {
    let same = 0;
    while (same < length && b[start + same] === known.bytes[same]) same++;
    if (same === length) return known.text;
  }
  const text = textAt(b, start, end);
  if (length < 32) labels[length] = { bytes: Buffer.from(b.subarray(start, end)), text };
  return text;
}

/** NaN when the number is not a safe integer; `1250.0` is one. */
function integerAt(b: Buffer, start: number, end: number): number {
  const isNegative = b[start] === MINUS;
  let value = 0;
  let p = isNegative ? start + 1 : start;
  for (; p < end && isDigit(b[p]); p++) value = value * 10 + (b[p] as number) - ZERO;
  if (p === end && end - start <= 15) return isNegative ? -value : value;
  const parsed = Number(b.toString('latin1', start, end));
  return Number.isSafeInteger(parsed) ? parsed : Number.NaN;
}
