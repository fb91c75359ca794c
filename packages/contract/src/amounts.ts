/** Exact amounts: whole numbers of 64 bits, their sums, and JSON that keeps them. */

declare global {
  /** In the language since ES2026; the types of TypeScript do not have it yet. */
  interface JSON {
    rawJSON(text: string): unknown;
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
    ): unknown;
  }
}

/**
 * Whole minor units of a currency, exact: a bigint only where a number would not be. The same value has one form,
 * so amounts can be compared with `===`.
 */
export type Amount = number | bigint;

/** Amounts are whole numbers of 64 bits, as in the tables. */
const MAX_AMOUNT = 2n ** 63n - 1n;

function shortest(value: bigint): Amount {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Tells whether there is an amount, and it is a whole number. */
export function isAmount(value: Amount | null): value is Amount {
  return value !== null && !Number.isNaN(value);
}

export function addAmounts(a: Amount, b: Amount): Amount {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return shortest(BigInt(a) + BigInt(b));
}

export function subtractAmounts(a: Amount, b: Amount): Amount {
  return addAmounts(a, b === 0 ? 0 : -b);
}

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** Digits of the largest amount. */
const MAX_DIGITS = 19;

/**
 * Reads a JSON number exactly, however it is written: `1250`, `1250.0` and `1.25e3` are the same (RFC 8259, section 6).
 * @returns NaN when it is not a whole number of 64 bits.
 */
export function parseWholeNumber(text: string): Amount {
  const [, sign, whole, fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
  if (whole === undefined) return Number.NaN;
  const all = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = withoutFinalZeros(all);
  if (significant === '') return 0;
  const zeros = Number(exponent) - fraction.length + all.length - significant.length;
  if (zeros < 0 || significant.length + zeros > MAX_DIGITS) return Number.NaN;
  const value = BigInt(`${sign}${significant}${'0'.repeat(zeros)}`);
  return value >= -MAX_AMOUNT && value <= MAX_AMOUNT ? shortest(value) : Number.NaN;
}

/** A loop, because an expression such as /0+$/ may take time in proportion to the square of the length. */
function withoutFinalZeros(digits: string): string {
  let end = digits.length;
  while (digits[end - 1] === '0') end--;
  return digits.slice(0, end);
}

/** JSON whose whole numbers may be amounts of any length. @param space as for `JSON.stringify`. */
export function stringifyExact(value: unknown, space?: number): string {
  return JSON.stringify(
    value,
    (_key, each: unknown) => (typeof each === 'bigint' ? JSON.rawJSON(String(each)) : each),
    space,
  );
}

/** Reads such JSON. @throws SyntaxError */
export function parseExact(text: string): unknown {
  return JSON.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source ?? '')
      ? BigInt(source ?? '')
      : value,
  );
}
