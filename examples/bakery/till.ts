/** Parses a till's CSV file. */
import { fromLocal } from './local-time.ts';

/** The lines of a file, or its whole text. */
export type Lines = string | Iterable<string> | AsyncIterable<string>;

export interface Row {
  /** UTC, epoch milliseconds. */
  time: number;
  transaction: number;
  item: string;
}

const HEADER = 'Date,Time,Transaction,Item';
/** No quoting: the item is whatever follows the third comma, spaces and further commas included. */
const ROW = /^(\d\d)-(\d\d)-(\d{4}),(\d\d):(\d\d):(\d\d),(0|[1-9]\d{0,10}),(.+)$/;

function parsed(line: string, number: number): Row {
  const match = ROW.exec(line);
  const [day = 0, month = 0, year = 0, hour = 0, minute = 0, second = 0] =
    match?.slice(1, 7).map(Number) ?? [];
  const local = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC turns 31 February into 3 March: only a real date comes back as it was written.
  const written = `${year}-${match?.[2]}-${match?.[1]}T${match?.[4]}:${match?.[5]}:${match?.[6]}`;
  if (!match || new Date(local).toISOString().slice(0, 19) !== written) {
    throw new SyntaxError(
      `line ${number} must be dd-mm-yyyy,HH:MM:SS,transaction number,item; got ${JSON.stringify(line)}`,
    );
  }
  return { time: fromLocal(local), transaction: Number(match[7]), item: match[8] as string };
}

/** @throws SyntaxError that names the first line that is not of the till's form. */
export async function* rows(lines: Lines): AsyncGenerator<Row, void, void> {
  let number = 0;
  for await (const raw of typeof lines === 'string' ? lines.split('\n') : lines) {
    number++;
    const line = raw.replace(/\r$/, '');
    if (number === 1) {
      if (line.replace(/^\uFEFF/, '') !== HEADER) {
        throw new SyntaxError(`line 1 must be ${HEADER}; got ${JSON.stringify(line)}`);
      }
    } else if (line !== '') {
      yield parsed(line, number);
    }
  }
}
