/** Reads the members that pulls sort and sum by from a scanned object. */
import { addAmounts, isAmount, parseWholeNumber, type Amount } from '@tillroll/contract';
import { LOWER_N, MINUS, ZERO } from './bytes.ts';
import { TAPE, type Scanner } from './scanner.ts';
import { compileTable } from './object-table.ts';
import { isDigit } from './validator.ts';

/** The members that are read of each object while its bytes go by. Money is in minor units, times are epoch ms. */
export interface Members {
  /** Empty where the object has none, or it is not a text. */
  id: string;
  /** NaN where the object has none, or it is not a whole number. */
  createdTime: number;
  /** `createdTime` where the object has none. */
  modifiedTime: number;
  /** Null where the object has none, or it is not a text. */
  currency: string | null;
  result: string | null;
  /** Null where the object has none; NaN where it is not a whole number of 64 bits. */
  total: Amount | null;
  amount: Amount | null;
  tipAmount: Amount | null;
  taxAmount: Amount | null;
  /** The elements of `refunds`, the sum of their amounts, and how many have none that is a whole number. */
  refunds: number;
  refundAmount: Amount;
  refundsWithoutAmount: number;
  /** True when the object holds line breaks outside its strings. */
  hasBreaks: boolean;
}

/** Members that are texts. */
export const TEXT_MEMBERS = ['id', 'currency', 'result'] as const;
/** Members that are times. */
export const TIME_MEMBERS = ['createdTime', 'modifiedTime'] as const;
/** Members that are amounts. */
export const AMOUNT_MEMBERS = ['total', 'amount', 'tipAmount', 'taxAmount'] as const;
const COLUMNS = [...TEXT_MEMBERS, ...TIME_MEMBERS, ...AMOUNT_MEMBERS] as const;

/** The table of these members for a scanner. Of a member that is there twice, the last one counts, even when it has another type. */
export const MEMBER_TABLE = compileTable(
  {
    columns: [
      ...TEXT_MEMBERS.map((from) => ({ from, type: 'STRING' as const })),
      ...[...TIME_MEMBERS, ...AMOUNT_MEMBERS].map((from) => ({ from, type: 'NUMBER' as const })),
    ],
    parents: [],
    lists: [
      {
        from: 'refunds',
        rows: { columns: [{ from: 'amount', type: 'NUMBER' }], parents: [], lists: [] },
      },
    ],
  },
  false,
);

/** Makes the members of an object without any. */
export function emptyMembers(): Members {
  const members = {} as Members;
  clear(members);
  return members;
}

/** Clears members one by one: `Object.assign` would cost more than reading an object's members. */
function clear(m: Members): void {
  m.id = '';
  m.createdTime = Number.NaN;
  m.modifiedTime = Number.NaN;
  m.currency = null;
  m.result = null;
  m.total = null;
  m.amount = null;
  m.tipAmount = null;
  m.taxAmount = null;
  m.refunds = 0;
  m.refundAmount = 0;
  m.refundsWithoutAmount = 0;
  m.hasBreaks = false;
}

/** Fills `m` with what a scanner of `MEMBER_TABLE` found last. */
export function readMembers({ tape, length, hasBreaks }: Scanner, b: Buffer, m: Members): void {
  clear(m);
  m.hasBreaks = hasBreaks;
  for (let at = 0; at < length; at += 4) {
    if (tape[at] === TAPE.OPEN) {
      at = readRefund(tape, at + 4, b, m);
      continue;
    }
    const column = tape[at + 1] as number;
    const start = tape[at + 2] as number;
    const end = tape[at + 3] as number;
    if (column < TEXT_MEMBERS.length) setText(m, column, b, start, end);
    else setNumber(m, column, numberAt(b, start, end));
  }
}

/** @returns the position of the entry that closes the refund. */
function readRefund(tape: Int32Array, from: number, b: Buffer, m: Members): number {
  let amount: Amount | null = null;
  let at = from;
  for (; tape[at] !== TAPE.CLOSE; at += 4) {
    const start = tape[at + 2] as number;
    const end = tape[at + 3] as number;
    amount = numberAt(b, start, end);
  }
  m.refunds++;
  if (!isAmount(amount)) m.refundsWithoutAmount++;
  else m.refundAmount = addAmounts(m.refundAmount, amount);
  return at;
}

function setText(m: Members, column: number, b: Buffer, start: number, end: number): void {
  const isText = start !== end;
  if (column === 0) m.id = isText ? textAt(b, start, end) : '';
  else if (column === 1) m.currency = isText ? labelAt(b, start, end) : null;
  else m.result = isText ? labelAt(b, start, end) : null;
}

function setNumber(m: Members, column: number, value: Amount | null): void {
  const name = COLUMNS[column];
  if (name === 'createdTime') m.createdTime = typeof value === 'number' ? value : Number.NaN;
  else if (name === 'modifiedTime') m.modifiedTime = typeof value === 'number' ? value : Number.NaN;
  else if (name === 'total') m.total = value;
  else if (name === 'amount') m.amount = value;
  else if (name === 'tipAmount') m.tipAmount = value;
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

/** Null for null; NaN for another type, or a number that is not a whole one of 64 bits. */
function numberAt(b: Buffer, start: number, end: number): Amount | null {
  if (start === end) return b[start] === LOWER_N ? null : Number.NaN;
  return wholeNumberAt(b, start, end);
}

/** NaN when the number is not a whole one of 64 bits; `1250.0` is one. */
function wholeNumberAt(b: Buffer, start: number, end: number): Amount {
  const isNegative = b[start] === MINUS;
  let value = 0;
  let p = isNegative ? start + 1 : start;
  for (; p < end && isDigit(b[p]); p++) value = value * 10 + (b[p] as number) - ZERO;
  if (p === end && end - start <= 15) return isNegative && value !== 0 ? -value : value;
  return parseWholeNumber(b.toString('latin1', start, end));
}
