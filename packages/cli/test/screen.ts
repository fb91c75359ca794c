/** A terminal's screen: what a user sees after the output so far. Knows what log-update writes. */
export class Screen {
  readonly columns: number;
  isCursorShown = true;
  /** Control sequences for colours. */
  colours = 0;
  readonly #lines: string[][] = [[]];
  #row = 0;
  #column = 0;
  #unfinished = '';

  constructor(columns: number) {
    this.columns = columns;
  }

  /** Every line that was not erased, scrolled out of sight or not. */
  get lines(): string[] {
    const lines = this.#lines.map((line) =>
      Array.from(line, (character) => character ?? ' ')
        .join('')
        .trimEnd(),
    );
    while (lines.at(-1) === '') lines.pop();
    return lines;
  }

  write(text: string): void {
    const all = this.#unfinished + text;
    // oxlint-disable-next-line no-control-regex
    const token = /\u001b\[(\??)([\d;]*)([A-Za-z])|([\s\S])/gy;
    let end = 0;
    for (;;) {
      const match = token.exec(all);
      if (!match) break;
      const [, mark = '', numbers = '', verb, character] = match;
      // A sequence may be cut between two chunks.
      if (character === '\u001b') break;
      if (character !== undefined) this.#put(character);
      else this.#obey(mark + (verb ?? ''), numbers);
      end = token.lastIndex;
    }
    this.#unfinished = all.slice(end);
  }

  #put(character: string): void {
    if (character === '\r') this.#column = 0;
    else if (character === '\n') this.#moveTo(this.#row + 1);
    else {
      if (this.#column >= this.columns) {
        this.#column = 0;
        this.#moveTo(this.#row + 1);
      }
      this.#line()[this.#column++] = character;
    }
  }

  #obey(verb: string, numbers: string): void {
    const many = Number(numbers || 1);
    if (verb === 'A') this.#moveTo(this.#row - many);
    else if (verb === 'B') this.#moveTo(this.#row + many);
    else if (verb === 'G') this.#column = many - 1;
    else if (verb === 'K') this.#line().splice(numbers === '2' ? 0 : this.#column, Infinity);
    else if (verb === 'm') this.colours++;
    else if (numbers === '25') this.isCursorShown = verb === '?h';
    else if (numbers !== '2026') throw new Error(`unknown sequence: ${numbers}${verb}`);
  }

  #moveTo(row: number): void {
    this.#row = Math.max(0, row);
    while (this.#lines.length <= this.#row) this.#lines.push([]);
  }

  #line(): string[] {
    return this.#lines[this.#row] as string[];
  }
}
