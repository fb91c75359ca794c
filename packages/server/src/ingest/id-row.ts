/** Makes a checked row of a line that names an object to be deleted. */
import { isUtf8 } from 'node:buffer';
import { shown } from '@tillroll/contract';
import { BadLine } from './errors.ts';
import type { Line } from './lines.ts';
import { isObjectId, ID_ALLOWED, type Row } from './row.ts';

const EMPTY = Buffer.alloc(0);
/** An id of 64 bytes, each escaped, with what else a client may write around it. */
const MAX_LINE = 4 * 1024;

/** Reads lines `{"id":"..."}`. Other members are ignored. */
export class IdParser {
  /** @throws BadLine naming line, member, what was sent and what is allowed. */
  parse({ number: line, bytes }: Line): Row {
    if (bytes.length > MAX_LINE)
      throw new BadLine(line, `a line that names an object has at most ${MAX_LINE} bytes`);
    if (!isUtf8(bytes)) throw new BadLine(line, 'not valid UTF-8');
    const id: unknown = Reflect.get(this.#object(line, bytes), 'id');
    if (typeof id !== 'string' || !isObjectId(id))
      throw new BadLine(line, `id must be ${ID_ALLOWED}; got ${shown(id)}`);
    return { line, id, createdTime: 0, modifiedTime: 0, values: [], object: EMPTY };
  }

  #object(line: number, bytes: Buffer): object {
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString('utf8'));
    } catch {
      // Falls through: what is not JSON is not an object.
    }
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
    throw new BadLine(line, `must be a JSON object {"id":"..."}; got ${shown(bytes.toString())}`);
  }
}
