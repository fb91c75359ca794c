import { OTHER, type ColumnType, type Rows } from './tables.ts';

/** What a member of a known name is. Indexes are into the row that it belongs to. */
export type Field =
  | { kind: 'value'; column: number; type: ColumnType }
  /** Repeats the id of the order or payment that it stands in. */
  | { kind: 'parent' }
  /** An object whose members are columns of the same row. */
  | { kind: 'object'; shape: Shape }
  /** An array of objects, each of which is a row of its own. */
  | { kind: 'rows'; list: number; shape: Shape };

/** The known members of one object of the JSON. */
export interface Shape {
  /** From the row's own object; empty for that itself. */
  path: readonly string[];
  names: string[];
  /** UTF-8 of `names`. */
  keys: Buffer[];
  fields: Field[];
  /** `names` and `other`, in lower case. */
  taken: Set<string>;
  /** An open hash table of indexes into `keys`; -1 is free. Its length is a power of two. */
  slots: Int8Array;
  /** Which member came last time after each; shifted by one, so that 0 is the start. */
  next: Int8Array;
  /** Its place in `Layout.shapes`. */
  index: number;
}

export interface Layout {
  root: Shape;
  shapes: Shape[];
}

/** Of a key's bytes; the walker computes the same while it looks for the closing quote. */
export function hashOf(key: Uint8Array): number {
  let hash = 0;
  for (const byte of key) hash = (Math.imul(hash, 31) + byte) | 0;
  return hash;
}

/** What was seen of an object is a bit mask of 32 bits. */
const MOST_FIELDS = 31;

/** Turns the declaration of an order or a payment into what the walker compares bytes with. */
export function layoutOf(rows: Rows): Layout {
  const shapes: Shape[] = [];

  function emptyShape(path: readonly string[]): Shape {
    const shape: Shape = {
      path,
      names: [],
      keys: [],
      fields: [],
      taken: new Set(),
      slots: new Int8Array(128).fill(-1),
      next: new Int8Array(MOST_FIELDS + 1).fill(-1),
      index: shapes.length,
    };
    shapes.push(shape);
    return shape;
  }

  function add(shape: Shape, path: readonly string[], field: Field): void {
    const [name = '', ...rest] = path;
    if (rest.length === 0) {
      shape.names.push(name);
      shape.fields.push(field);
      return;
    }
    const at = shape.names.indexOf(name);
    let inner = shape.fields[at];
    if (inner === undefined) {
      inner = { kind: 'object', shape: emptyShape([...shape.path, name]) };
      add(shape, [name], inner);
    }
    if (inner.kind !== 'object') throw new Error(`${name} is both a value and an object`);
    add(inner.shape, rest, field);
  }

  function shapeOf({ columns, lists, parents }: Rows): Shape {
    const shape = emptyShape([]);
    for (const [column, { from, type }] of columns.entries()) {
      add(shape, from.split('.'), { kind: 'value', column, type });
    }
    for (const from of parents) add(shape, from.split('.'), { kind: 'parent' });
    for (const [list, { from, rows: inner }] of lists.entries()) {
      add(shape, [from, 'elements'], { kind: 'rows', list, shape: shapeOf(inner) });
    }
    return shape;
  }

  const root = shapeOf(rows);
  for (const shape of shapes) fillSlots(shape);
  return { root, shapes };
}

function fillSlots(shape: Shape): void {
  if (shape.names.length > MOST_FIELDS) throw new Error('too many members for the bit mask');
  shape.taken = new Set([...shape.names, OTHER].map((name) => name.toLowerCase()));
  shape.keys = shape.names.map((name) => Buffer.from(name));
  for (const [index, key] of shape.keys.entries()) {
    let slot = hashOf(key) & 127;
    while (shape.slots[slot] !== -1) slot = (slot + 1) & 127;
    shape.slots[slot] = index;
  }
}
