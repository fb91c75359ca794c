import fc from 'fast-check';
import { AMOUNT_MEMBERS, TEXT_MEMBERS, TIME_MEMBERS, type Members } from '../src/json/members.ts';

/** JSON as text, in all the ways in which it may be written; `JSON.parse` is the judge of what it means. */

export const blanks = fc
  .array(fc.constantFrom(' ', '\n', '\r', '\t', '\r\n'), { maxLength: 2 })
  .map((all) => all.join(''));

/** One character of a string, possibly escaped. Lone surrogates can only be written as escapes. */
const unit = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      ...Array.from('abz019 _-/{}[]:,.\u007f\u0080\u00dfé€\ufeff\ufffd\uffff'),
    ),
  },
  { weight: 2, arbitrary: fc.constantFrom('😀', '𐍈', 'e\u0301', '\u2028', '\u2029', '\u00a0') },
  {
    weight: 2,
    arbitrary: fc.constantFrom('\\"', '\\\\', '\\/', '\\b', '\\f', '\\n', '\\r', '\\t'),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.integer({ min: 0, max: 0xffff }), fc.boolean())
      .map(([code, isUpper]) => {
        const hex = code.toString(16).padStart(4, '0');
        return `\\u${isUpper ? hex.toUpperCase() : hex}`;
      }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('\\ud83d\\ude00', '\\ud800', '\\uDC00x', '\\u0000', '\\u0022'),
  },
);
const stringText = fc.array(unit, { maxLength: 8 }).map((units) => `"${units.join('')}"`);

const digits = fc.oneof(fc.nat({ max: 999 }).map(String), fc.stringMatching(/^[0-9]{1,22}$/));
const numberText = fc.oneof(
  fc.constantFrom(
    '0',
    '-0',
    '1250',
    '1250.0',
    '12.5e2',
    '-1',
    '1e3',
    '1E+3',
    '5e-324',
    '1e999',
    '-0.0',
  ),
  fc.constantFrom(
    '999999999999999',
    '9007199254740991',
    '9007199254740992',
    '-9007199254740991',
    '1767225600000',
    '1.0000000000000000001',
  ),
  fc
    .tuple(
      fc.constantFrom('', '-'),
      fc.oneof(
        fc.constant('0'),
        fc.tuple(fc.integer({ min: 1, max: 9 }), digits).map(([a, b]) => `${a}${b}`),
      ),
      fc.option(digits, { nil: undefined }),
      fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'E-'), digits), { nil: undefined }),
    )
    .map(
      ([sign, whole, fraction, exponent]) =>
        `${sign}${whole}${fraction === undefined ? '' : `.${fraction}`}${exponent?.join('') ?? ''}`,
    ),
);

/** The names of members, as they are and with some of their characters escaped; and names that are close. */
const memberName = fc.constantFrom(...TEXT_MEMBERS, ...TIME_MEMBERS, ...AMOUNT_MEMBERS);
const keyText = fc.oneof(
  { weight: 5, arbitrary: memberName.map((name) => `"${name}"`) },
  {
    weight: 2,
    arbitrary: fc.tuple(memberName, fc.nat()).map(([name, at]) => {
      const i = at % name.length;
      const code = name.charCodeAt(i).toString(16).padStart(4, '0');
      return `"${name.slice(0, i)}\\u${code}${name.slice(i + 1)}"`;
    }),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '"__proto__"',
      '"constructor"',
      '""',
      '"Id"',
      '"id "',
      '"ids"',
      '"createdTim"',
      '"toString"',
    ),
  },
  { weight: 3, arbitrary: stringText },
);

function listed(
  open: string,
  items: readonly string[],
  close: string,
  layout: readonly string[],
): string {
  let text = open;
  for (const [i, item] of items.entries())
    text += `${i > 0 ? ',' : ''}${layout[i % layout.length]}${item}${layout[(i + 1) % layout.length]}`;
  return `${text}${items.length === 0 ? layout[0] : ''}${close}`;
}

const layout = fc.array(blanks, { minLength: 1, maxLength: 4 });

const { object } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(stringText, numberText, fc.constantFrom('true', 'false', 'null')),
    tie('object'),
    tie('array'),
  ),
  array: fc
    .tuple(fc.array(tie('value'), { maxLength: 4 }), layout)
    .map(([items, between]) => listed('[', items, ']', between)),
  object: fc
    .tuple(fc.array(fc.tuple(keyText, blanks, blanks, tie('value')), { maxLength: 6 }), layout)
    .map(([members, between]) =>
      listed(
        '{',
        members.map(([key, before, after, value]) => `${key}${before}:${after}${value}`),
        '}',
        between,
      ),
    ),
}));

/** An object without blanks around it; names repeat. */
export const objectText: fc.Arbitrary<string> = object;

/** An amount that is beyond this is none. */
const MAX_AMOUNT = 2n ** 63n - 1n;

function readAmount(member: unknown): number | bigint | null {
  if (member === undefined || member === null) return null;
  if (!(member instanceof JsonNumber)) return Number.NaN;
  // Computes a fraction of whole numbers, whatever exponent a generator writes.
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(member.source) ?? [];
  const digits = BigInt(`${sign}${whole}${fraction}`);
  const power = Number(exponent) - fraction.length;
  if (digits === 0n) return 0;
  // A larger number than any amount, or less than 1.
  if (power > 100 || -power > whole.length + fraction.length) return Number.NaN;
  const divisor = 10n ** BigInt(Math.max(0, -power));
  const exact = digits * 10n ** BigInt(Math.max(0, power));
  if (exact % divisor !== 0n) return Number.NaN;
  const value = exact / divisor;
  if (value < -MAX_AMOUNT || value > MAX_AMOUNT) return Number.NaN;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** A number of JSON with its text. */
class JsonNumber {
  readonly value: number;
  readonly source: string;
  constructor(value: number, source: string) {
    this.value = value;
    this.source = source;
  }
}

/** Computes the expected `Members` of an object without refunds, by `JSON.parse`. */
export function parseMembers(text: string): Members {
  const parsed = JSON.parse(text, (_key, value, { source = '' }) =>
    typeof value === 'number' ? new JsonNumber(value, source) : value,
  ) as Record<string, unknown>;
  const members: Record<string, unknown> = {
    hasBreaks: /[\r\n]/.test(text),
    refunds: 0,
    refundAmount: 0,
    refundsWithoutAmount: 0,
  };
  for (const name of TEXT_MEMBERS)
    members[name] = typeof parsed[name] === 'string' ? parsed[name] : name === 'id' ? '' : null;
  for (const name of TIME_MEMBERS) {
    const amount = readAmount(parsed[name]);
    members[name] = typeof amount === 'number' ? amount : Number.NaN;
  }
  for (const name of AMOUNT_MEMBERS) members[name] = readAmount(parsed[name]);
  return members as unknown as Members;
}

/** Damage to bytes: some are replaced, left out, put in, doubled or cut off. */
export const damage = fc.array(
  fc.record({
    kind: fc.constantFrom('replace', 'remove', 'insert', 'double', 'cut'),
    at: fc.nat(),
    byte: fc.oneof(
      fc.constantFrom(...Buffer.from('{}[]:,"\\/ \n\r\t0123456789-+.eEutfnasld\u000b\u000c\u0000')),
      fc.constantFrom(0xa0, 0x80, 0xbf, 0xc0, 0xc1, 0xc3, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff),
      fc.integer({ min: 0, max: 255 }),
    ),
  }),
  { minLength: 1, maxLength: 2 },
);
export type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

export function damaged(bytes: Buffer, how: Damage): Buffer {
  let now = bytes;
  for (const { kind, at: anywhere, byte } of how) {
    const at = now.length === 0 ? 0 : anywhere % now.length;
    const before = now.subarray(0, at);
    const after = now.subarray(at);
    const put = Buffer.of(byte);
    if (kind === 'replace') now = Buffer.concat([before, put, after.subarray(1)]);
    else if (kind === 'remove') now = Buffer.concat([before, after.subarray(1)]);
    else if (kind === 'insert') now = Buffer.concat([before, put, after]);
    else if (kind === 'double') now = Buffer.concat([before, after.subarray(0, 1), after]);
    else now = before;
  }
  return now;
}

/**
 * Parses bytes with `JSON.parse`; undefined when they are not UTF-8 or not JSON. A number that is not
 * whole as written is NaN: as a double, 1.0000000000000000001 is 1.
 */
export function judged(bytes: Buffer): unknown {
  try {
    return JSON.parse(
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
      (_key, value, { source = '' }) =>
        typeof value === 'number' ? readAmount(new JsonNumber(value, source)) : value,
    );
  } catch {
    return undefined;
  }
}
