import { addRest, otherOf, type Rest } from './rows.ts';
import type { Layout, Shape } from './shape.ts';
import { OTHER } from './tables.ts';
import { TAPE, type Walker } from './walk.ts';

/**
 * What must be put into a line, and where, so that each of its rows has its `other`: cheaper than to
 * write the line anew, and enough where a reader passes over unknown members.
 */
export function othersOf(
  walker: Walker,
  layout: Layout,
  bytes: Buffer,
): { at: number; text: string }[] {
  const { tape } = walker;
  const insertions: { at: number; text: string }[] = [];
  const rows: (Rest | undefined)[] = [undefined];
  const close = (at: number) => {
    const rest = rows.pop();
    // The row is not empty: a comma is right.
    if (rest) insertions.push({ at, text: `,"${OTHER}":${JSON.stringify(otherOf(rest))}` });
  };
  for (let at = 0; at < walker.length; at += 4) {
    const a = tape[at + 1] as number;
    if (tape[at] === TAPE.OPEN) rows.push(undefined);
    else if (tape[at] === TAPE.CLOSE) close(a);
    else if (tape[at] === TAPE.OTHER) {
      const member = bytes.toString('utf8', tape[at + 2], tape[at + 3]);
      rows.push(addRest(rows.pop(), layout.shapes[a] as Shape, member));
    }
  }
  close(walker.close);
  return insertions;
}
