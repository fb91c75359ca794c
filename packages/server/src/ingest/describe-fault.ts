/** Explains why a line is not a JSON object. */
import { isUtf8 } from 'node:buffer';

const SHOWN_BYTES = 80;
const SHOWN_OF_FAULT = 24;

/** Quotes the bytes from `start` to `end`, cut so that a message stays readable. */
export function shownBytes(bytes: Buffer, start: number, end: number): string {
  let cut = Math.min(end, start + SHOWN_BYTES);
  // Not inside of a character.
  while (cut < end && cut > start && ((bytes[cut] as number) & 0xc0) === 0x80) cut--;
  const text = bytes.toString('utf8', start, cut);
  // A message is one line, whatever was sent.
  // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
  const escaped = text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(4, '0');
    return `\\u${code}`;
  });
  return cut < end ? `${escaped}...` : escaped;
}

/** Finds the end of the object or array that begins at `start`, no further than a message shows. */
export function endOfNested(bytes: Buffer, start: number): number {
  const end = Math.min(bytes.length, start + SHOWN_BYTES + 1);
  let depth = 0;
  let inString = false;
  for (let at = start; at < end; at++) {
    const character = String.fromCharCode(bytes[at] as number);
    if (inString && character === '\\') at++;
    else if (character === '"') inString = !inString;
    else if (!inString && '[{'.includes(character)) depth++;
    else if (!inString && ']}'.includes(character) && --depth === 0) return at + 1;
  }
  return end;
}

/** Files of another kind, by how they begin. */
const BEGINNINGS: readonly [string, string][] = [
  ['504b0304', 'a zip archive: unpack it first'],
  ['28b52ffd', 'Zstandard data: unpack it first, or compress with gzip'],
  ['425a68', 'bzip2 data: unpack it first, or compress with gzip'],
  ['fd377a585a00', 'xz data: unpack it first, or compress with gzip'],
  ['50415231', 'a Parquet file: send JSON lines'],
  ['fffe', 'UTF-16 or UTF-32: send UTF-8'],
  ['feff', 'UTF-16: send UTF-8'],
  ['0000feff', 'UTF-32: send UTF-8'],
  ['1e', 'a record separator (RFC 7464): send lines that end with a line feed, without it'],
];

const NUL = 0;
const CR = 0x0d;

/** Names the format of a line that is not JSON by its first bytes; null when they do not tell. */
export function describeBeginning(bytes: Buffer): string | null {
  const hex = bytes.toString('hex', 0, 8);
  const found = BEGINNINGS.find(([beginning]) => hex.startsWith(beginning));
  if (found) return `this is ${found[1]}`;
  if (bytes.subarray(0, 8).includes(NUL)) return 'this is UTF-16 or UTF-32: send UTF-8';
  return null;
}

/**
 * Explains why a line is not one JSON object, in a sentence that says what was found and what to send.
 * @param at the first byte that does not fit. @param expected what would.
 */
export function describeFault(bytes: Buffer, at: number, expected: string): string {
  const beginning = describeBeginning(bytes);
  if (beginning !== null) return beginning;
  if (bytes[at] === NUL) return 'not valid JSON (it holds a zero byte, as UTF-16 does: send UTF-8)';
  if (!isUtf8(bytes)) return 'not valid UTF-8';
  const text = bytes.toString('utf8', 0, Math.min(bytes.length, 4096)).trimStart();
  if (bytes[0] === 0xef && bytes.toString('utf8', 0, 3) === '\ufeff')
    return 'not valid JSON (a byte order mark may stand at the start of the body alone: were files joined? Remove it)';
  if (expected === 'an object') return describeOther(bytes, text);
  if (at >= bytes.length)
    return 'not valid JSON (the line ends inside of the object: send each object on one line)';
  if (expected === 'the end of the line') return describeRest(bytes, at);
  const got = shownBytes(bytes, at, Math.min(bytes.length, at + SHOWN_OF_FAULT));
  return `not valid JSON (${expected} was expected at byte ${at + 1}; got ${got})`;
}

/** A line that does not begin with `{`. */
function describeOther(bytes: Buffer, text: string): string {
  const got = shownBytes(Buffer.from(text), 0, bytes.length);
  if (text.startsWith('['))
    return `must be a JSON object; got ${got}: an array; send each of its objects on a line of its own`;
  if (/^"\s*\{/.test(text) || /^"[^"\\]*(\\.[^"\\]*)*"$/s.test(text))
    return `must be a JSON object; got ${got}: a string; send the object itself, not its text in quotes`;
  if (isJson(text)) return `must be a JSON object; got ${got}`;
  if (text.startsWith('<'))
    return `not valid JSON (this is HTML or XML: ${got}; send one JSON object a line)`;
  if (/^[\w" ]+[,;\t][\w" ,;\t]*$/.test(text))
    return `not valid JSON (this looks like CSV: ${got}; send one JSON object a line)`;
  return `not valid JSON (an object was expected; got ${got})`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Describes what follows the object on its line. */
function describeRest(bytes: Buffer, at: number): string {
  const got = shownBytes(bytes, at, bytes.length);
  const between = bytes.subarray(Math.max(0, at - 16), at);
  if (between.includes(CR))
    return 'not valid JSON (lines end with a carriage return alone: end them with a line feed)';
  if (bytes[at] === 0x2c)
    return 'not valid JSON (a comma follows the object: send one object a line, without commas between them)';
  if (bytes[at] === 0x7b)
    return `not valid JSON (another object follows on the same line: end each with a line feed; got ${got})`;
  if (bytes[at] === 0x1e)
    return 'not valid JSON (a record separator follows the object: send lines that end with a line feed, without it)';
  return `not valid JSON (the end of the line was expected at byte ${at + 1}; got ${got})`;
}
