/** Checks JSON values as bytes, by RFC 8259. */
import {
  BACKSLASH,
  CLOSE_ARRAY,
  COLON,
  COMMA,
  CR,
  LF,
  LOWER_D,
  LOWER_E,
  LOWER_F,
  LOWER_N,
  LOWER_T,
  LOWER_U,
  MINUS,
  NINE,
  OPEN_ARRAY,
  OPEN_OBJECT,
  PLUS,
  POINT,
  QUOTE,
  SPACE,
  TAB,
  ZERO,
} from './bytes.ts';

/** Deepest nesting that is accepted; a till writes nothing deeper. */
export const MAX_DEPTH = 512;

/** Returned in place of a position: the value continues beyond the bytes that are there. */
export const INCOMPLETE = -1;

/** The bytes are not JSON; `at` is the position of the first that does not fit. */
export class JsonFault extends Error {
  override name = 'JsonFault';
  readonly at: number;
  constructor(at: number, expected: string) {
    super(`not JSON: ${expected} expected`);
    this.at = at;
  }
}

const LITERALS = ['true', 'false', 'null'].map((literal) => Buffer.from(literal));
/** Three letters as a number. */
const RUE = Buffer.from('rue').readUIntBE(0, 3);
const ULL = Buffer.from('ull').readUIntBE(0, 3);
const ALS = Buffer.from('als').readUIntBE(0, 3);
const ESCAPES = new Set(Buffer.from('"\\/bfnrt'));

/** A closing bracket's byte is its opening one's plus this. */
const TO_CLOSING = CLOSE_ARRAY - OPEN_ARRAY;

/** 1 for each byte that stands for itself in a string. */
const PLAIN = new Uint8Array(256).fill(1, SPACE);
PLAIN[QUOTE] = 0;
PLAIN[BACKSLASH] = 0;

const NO_ESCAPE = 0;
const ESCAPE = 1;
/** At least one escape may be half of a surrogate pair. */
const SURROGATE = 2;

/** Tells whether a byte is a digit. */
export function isDigit(c: number | undefined): boolean {
  return c !== undefined && c >= ZERO && c <= NINE;
}

function isHex(c: number): boolean {
  return isDigit(c) || ((c | 0x20) >= 0x61 && (c | 0x20) <= LOWER_F);
}

/**
 * Checks JSON values (RFC 8259) byte by byte. Each method takes the position where something begins
 * and returns the position behind it, or `INCOMPLETE`; it throws `JsonFault`.
 */
export class Validator {
  /** True when line breaks stood outside strings. */
  hasBreaks = false;
  /** True when a string had an escape that may be half of a surrogate pair. */
  hasSurrogates = false;
  /** Escapes in the strings since this was last reset. Most have none, and need no decoding. */
  protected escapes = NO_ESCAPE;
  /** The opening brackets around the present value. */
  readonly #stack = new Uint8Array(MAX_DEPTH + 1);

  /** @returns the position of the next byte that is not blank. */
  protected blanks(b: Uint8Array, p: number, end: number): number {
    // Small enough to be inlined: most JSON has no blanks.
    return p < end && (b[p] as number) > SPACE ? p : this.#skipBlanks(b, p, end);
  }

  #skipBlanks(b: Uint8Array, p: number, end: number): number {
    for (; p < end; p++) {
      const c = b[p] as number;
      if (c > SPACE) return p;
      if (c === LF || c === CR) this.hasBreaks = true;
      else if (c !== SPACE && c !== TAB) throw new JsonFault(p, 'a token');
    }
    return INCOMPLETE;
  }

  /** Passes a string. @param p at the opening quote. */
  protected string(b: Uint8Array, p: number, end: number): number {
    do p++;
    while (PLAIN[b[p] as number] === 1);
    return p < end && b[p] === QUOTE ? p + 1 : this.#restOfString(b, p, end);
  }

  /** Continues at a byte that is not plain. */
  #restOfString(b: Uint8Array, p: number, end: number): number {
    for (;;) {
      if (p >= end) return INCOMPLETE;
      const c = b[p] as number;
      if (c === QUOTE) return p + 1;
      if (c < SPACE) throw new JsonFault(p, 'a character that may stand in a string');
      if (c !== BACKSLASH) p++;
      else {
        p = this.#escape(b, p, end);
        if (p === INCOMPLETE) return p;
      }
    }
  }

  #escape(b: Uint8Array, p: number, end: number): number {
    this.escapes |= ESCAPE;
    if (p + 1 >= end) return INCOMPLETE;
    const escaped = b[p + 1] as number;
    if (escaped !== LOWER_U) {
      if (!ESCAPES.has(escaped)) throw new JsonFault(p + 1, 'an escape');
      return p + 2;
    }
    if (p + 6 > end) return INCOMPLETE;
    for (let i = p + 2; i < p + 6; i++)
      if (!isHex(b[i] as number)) throw new JsonFault(i, 'a hexadecimal digit');
    if (((b[p + 2] as number) | 0x20) === LOWER_D) {
      this.escapes |= SURROGATE;
      this.hasSurrogates = true;
    }
    return p + 6;
  }

  /** Passes a number. Inside an object, something always follows it. */
  protected number(b: Uint8Array, start: number, end: number): number {
    let p = start;
    if (b[p] === MINUS) p++;
    if (b[p] === ZERO && p < end) p++;
    else p = digits(b, p, end, 'a value');
    if (p < end && b[p] === POINT) p = digits(b, p + 1, end, 'a digit');
    if (p < end && ((b[p] as number) | 0x20) === LOWER_E) {
      p++;
      if (p < end && (b[p] === PLUS || b[p] === MINUS)) p++;
      p = digits(b, p, end, 'a digit');
    }
    return p < end ? p : INCOMPLETE;
  }

  /** Passes true, false or null. */
  protected literal(b: Uint8Array, p: number, end: number): number {
    if (p + 5 > end) return this.#spell(b, p, end);
    const c = b[p];
    const rest = ((b[p + 1] as number) << 16) | ((b[p + 2] as number) << 8) | (b[p + 3] as number);
    if ((c === LOWER_T && rest === RUE) || (c === LOWER_N && rest === ULL)) return p + 4;
    if (c === LOWER_F && rest === ALS && b[p + 4] === LOWER_E) return p + 5;
    return this.#spell(b, p, end);
  }

  #spell(b: Uint8Array, p: number, end: number): number {
    const literal = LITERALS.find((each) => each[0] === b[p]);
    if (!literal) throw new JsonFault(p, 'a value');
    for (let i = 1; i < literal.length; i++) {
      if (p + i >= end) return INCOMPLETE;
      if (b[p + i] !== literal[i]) throw new JsonFault(p + i, literal.toString());
    }
    return p + literal.length;
  }

  /** Passes a colon and the blanks before it. */
  protected colon(b: Uint8Array, p: number, end: number): number {
    p = this.blanks(b, p, end);
    if (p === INCOMPLETE) return p;
    if (b[p] !== COLON) throw new JsonFault(p, "':'");
    return p + 1;
  }

  /** Passes any value. @param outer how many brackets are open around it. */
  protected value(b: Uint8Array, p: number, end: number, outer: number): number {
    const stack = this.#stack;
    let depth = outer;
    let isName = false;
    for (;;) {
      p = this.blanks(b, p, end);
      if (p === INCOMPLETE) return p;
      const c = b[p] as number;
      if (c === QUOTE) {
        p = this.string(b, p, end);
        if (isName && p !== INCOMPLETE) {
          p = this.colon(b, p, end);
          isName = false;
          if (p !== INCOMPLETE) continue;
        }
      } else if (isName) throw new JsonFault(p, 'a name in quotes');
      else if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
        if (depth === MAX_DEPTH) throw new JsonFault(p, `nesting of at most ${MAX_DEPTH}`);
        p = this.blanks(b, p + 1, end);
        if (p !== INCOMPLETE && b[p] !== c + TO_CLOSING) {
          stack[++depth] = c;
          isName = c === OPEN_OBJECT;
          continue;
        }
        if (p !== INCOMPLETE) p++;
      } else if (c === MINUS || isDigit(c)) p = this.number(b, p, end);
      else p = this.literal(b, p, end);
      if (p === INCOMPLETE) return p;
      for (;;) {
        if (depth === outer) return p;
        p = this.blanks(b, p, end);
        if (p === INCOMPLETE) return p;
        const open = stack[depth] as number;
        if (b[p] === COMMA) {
          isName = open === OPEN_OBJECT;
          p++;
          break;
        }
        if (b[p] !== open + TO_CLOSING)
          throw new JsonFault(p, open === OPEN_OBJECT ? "',' or '}'" : "',' or ']'");
        p++;
        depth--;
      }
    }
  }
}

/** Passes one digit or more. */
function digits(b: Uint8Array, p: number, end: number, expected: string): number {
  if (p < end && !isDigit(b[p])) throw new JsonFault(p, expected);
  let c = 0;
  while (p < end && (c = b[p] as number) >= ZERO && c <= NINE) p++;
  return p;
}
