import type { Layout, Shape } from './shape.ts';
import { OTHER } from './tables.ts';
import { TAPE, type Walker } from './walk.ts';

/** One object as JSON texts: a row, and the rows below it. */
export interface Row {
  /** By column: the JSON text as it came; undefined where there is none, or null. */
  values: (string | undefined)[];
  /** By list. */
  lists: (Row[] | undefined)[];
  /** A JSON object of what no column holds. */
  other: string | undefined;
}

/** Members by the object they stand in, which is a path from the row's own. */
export interface Rest {
  members: string[];
  inner: Map<string, Rest>;
}

/** What the walker put on its tape for the last line, as rows. */
export function rowOf(walker: Walker, layout: Layout, bytes: Buffer): Row {
  const { tape } = walker;
  let at = 0;

  function row(): Row {
    const values: (string | undefined)[] = [];
    const lists: (Row[] | undefined)[] = [];
    let rest: Rest | undefined;
    for (; at < walker.length; at += 4) {
      const operation = tape[at] as number;
      const a = tape[at + 1] as number;
      const b = tape[at + 2] as number;
      const c = tape[at + 3] as number;
      if (operation === TAPE.CLOSE) break;
      if (operation === TAPE.VALUE) values[a] = bytes.toString('utf8', b, c);
      else if (operation === TAPE.OPEN) {
        at += 4;
        (lists[a] ??= []).push(row());
      } else {
        rest = addRest(rest, layout.shapes[a] as Shape, bytes.toString('utf8', b, c));
      }
    }
    return { values, lists, other: rest && otherOf(rest) };
  }

  return row();
}

/** @param member the JSON text of a name and its value. */
export function addRest(rest: Rest | undefined, { path }: Shape, member: string): Rest {
  const outermost: Rest = rest ?? { members: [], inner: new Map() };
  let at = outermost;
  for (const name of path) {
    let inner = at.inner.get(name);
    if (inner === undefined) at.inner.set(name, (inner = { members: [], inner: new Map() }));
    at = inner;
  }
  at.members.push(member);
  return outermost;
}

function restText({ members, inner }: Rest): string {
  const nested = [...inner].map(([name, rest]) => `${JSON.stringify(name)}:${restText(rest)}`);
  return `{${[...members, ...nested].join(',')}}`;
}

/**
 * The text of `other`. Half a surrogate pair, which JSON can write and UTF-8 cannot, would make
 * DuckDB refuse all of it: it stays readable as the six characters that it was written with.
 */
export function otherOf(rest: Rest): string {
  const json = restText(rest);
  if (!json.includes('\\')) return json;
  return json.replaceAll(
    /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u[dD][89a-fA-F][\da-fA-F]{2})|[^])/g,
    (escape, half: string | undefined) => (half === undefined ? escape : `\\\\${half}`),
  );
}

/** The row in the shape it came in, with `other` as one more member, a text: for DuckDB's reader. */
export function lineOf({ values, lists, other }: Row, layout: Layout, shape = layout.root): string {
  const members: string[] = [];
  for (const [index, field] of shape.fields.entries()) {
    let text: string | undefined;
    if (field.kind === 'value') text = values[field.column];
    else if (field.kind === 'object') {
      text = lineOf({ values, lists, other: undefined }, layout, field.shape);
    } else if (field.kind === 'rows') {
      const inner = lists[field.list]?.map((row) => lineOf(row, layout, field.shape));
      text = inner && `[${inner.join(',')}]`;
    }
    if (text !== undefined && text !== '{}') {
      members.push(`${JSON.stringify(shape.names[index])}:${text}`);
    }
  }
  if (other !== undefined) members.push(`"${OTHER}":${JSON.stringify(other)}`);
  return `{${members.join(',')}}`;
}
