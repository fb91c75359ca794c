/** Makes a text safe for a terminal and for one line. */

/** C0, DEL and C1, and the two separators that some terminals take for line breaks. */
const CONTROLS = /[\p{Cc}\u2028\u2029]+/gu;
/** Characters that change the direction of the text around them. */
const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Makes a text of unknown origin safe for one line of a terminal: control characters become a blank,
 * bidirectional controls become visible, such as `\u{202e}`.
 */
export function printable(text: string): string {
  return text
    .replaceAll(CONTROLS, ' ')
    .replaceAll(DIRECTIONS, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
