import type { Piece } from './contents.ts';
import type { Layout } from './faults.ts';

/** JSON with a line break and white space wherever they may be; strings and numbers stay as they are. */
export function pretty(text: string): string {
  return text.replaceAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/gs, (token) => {
    if (token === ':') return ' : ';
    if (token === ',') return ',\n\t';
    if (token === '{' || token === '[') return `${token}\n  `;
    return token === '}' || token === ']' ? `\r\n${token}` : token;
  });
}

function bytes(parts: readonly Piece[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}

function elements(pieces: readonly Piece[], [before, between, after] = ['', ',', '']): Buffer {
  const isText = pieces.every((piece) => typeof piece === 'string');
  if (isText) return Buffer.from(before + pieces.join(between) + after);
  return bytes([
    before,
    ...pieces.flatMap((piece, i) => (i === 0 ? [piece] : [between, piece])),
    after,
  ]);
}

/** The bytes of a file: `{"elements":[...]}`, or what a fault makes of it. */
export function layOut(pieces: readonly Piece[], layout?: Layout): Buffer {
  const plain = (): Buffer => elements(pieces, ['{"elements":[', ',', ']}']);
  switch (layout) {
    case undefined:
      return plain();
    case 'pretty': {
      const spread = pieces.map((piece) => (typeof piece === 'string' ? pretty(piece) : piece));
      return elements(spread, ['\n {\t"elements" : [\n', '\n ,\r\n\t ', '\n]\n}\n']);
    }
    case 'lines':
      return elements(pieces, ['{"elements":[\r\n', ',\r\n', '\r\n]}\r\n']);
    case 'more-members':
      return elements(pieces, [
        '{"href":"x]","a":[{"elements":[]}],"elements":[',
        ',',
        '],"z":{"elements":[1]},"count":1}',
      ]);
    case 'bom':
      return bytes(['\uFEFF', plain()]);
    case 'no-end':
      return elements(pieces, ['{"elements":[', ',', '']);
    case 'garbage-after':
      return bytes([plain(), '\n<!-- served by cache -->']);
    case 'two-documents':
      return bytes([plain(), plain()]);
    case 'trailing-comma':
      return elements(pieces, ['{"elements":[', ',', ',]}']);
    case 'bare-array':
      return elements(pieces, ['[', ',', ']']);
    case 'other-member':
      return elements(pieces, ['{"items":[', ',', ']}']);
    case 'elements-object':
      return Buffer.from('{"elements":{}}');
    case 'elements-twice':
      return elements(pieces, ['{"elements":[],"elements":[', ',', ']}']);
    case 'nothing':
      return Buffer.alloc(0);
  }
}
