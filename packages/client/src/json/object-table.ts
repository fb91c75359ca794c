/** Declares which members of an object a scanner records, and compiles that for comparing bytes. */

/**
 * Types that a known member may have. A value of another type does not belong to the member.
 *
 * - `VARCHAR`: a string that UTF-8 can hold, so without half a surrogate pair. `STRING`: any string.
 * - `BIGINT`: a whole number of 64 bits, also as `1250.0`. `TIMESTAMPTZ`: epoch ms, in the years 0 to 9999.
 *   `NUMBER`: any number.
 * - `BOOLEAN`.
 */
export type ValueType = 'VARCHAR' | 'STRING' | 'BIGINT' | 'TIMESTAMPTZ' | 'NUMBER' | 'BOOLEAN';

/** A reference to an object that contains this one. */
export interface Parent {
  /** Path of the member. */
  from: string;
  /** Depth of the object it names by `id`, its first column: 0 is the root, 1 a row in it, and so on. */
  level: number;
}

/** The known members of one kind of object. */
export interface ObjectTable {
  /** `from` is the path of a member, such as `id` or `employee.id`. */
  columns: readonly { from: string; type: ValueType }[];
  /** Members that repeat the id of an object that this one stands in: known, and not recorded. */
  parents: readonly Parent[];
  /** Collections, `{"elements":[...]}`, whose elements are objects of their own. */
  lists: readonly { from: string; rows: ObjectTable }[];
}

/** The meaning of a known name. */
export type Field =
  | { kind: 'value'; column: number; type: ValueType }
  | { kind: 'parent'; level: number }
  /** An object whose members are columns of the same row. */
  | { kind: 'object'; shape: Shape }
  /** An array of objects, each of which is a row of its own. */
  | { kind: 'rows'; list: number; shape: Shape };

/** The known members of one JSON object, compiled for comparing bytes. */
export interface Shape {
  /** Its place in `CompiledTable.shapes`. */
  index: number;
  /** Number of rows that contain the row it belongs to. */
  level: number;
  /** From the row's own object; empty for that itself. */
  path: readonly string[];
  names: string[];
  fields: Field[];
  /** UTF-8 of `"name":` for each name. */
  keys: Uint8Array[];
  /** Indexes of `names`, by the length of the name in bytes. */
  byLength: number[][];
  /** The member that came last time after each one; shifted by one, so that 0 is the start. */
  next: Int8Array;
}

/** A table that is ready for `Scanner`. */
export interface CompiledTable {
  root: Shape;
  shapes: Shape[];
  /**
   * True when members that no column holds are recorded, too. The column then has the first member of
   * its name; otherwise it has the last one.
   */
  recordsUnmapped: boolean;
}

/** Most members of one object: those that were seen are a bit mask of 32 bits. */
const MAX_FIELDS = 31;
/** Deepest level of rows: the root, a row in it, a row in that. */
export const MAX_LEVEL = 2;

/** Compiles the declaration of an object for `Scanner`. */
export function compileTable(table: ObjectTable, recordsUnmapped: boolean): CompiledTable {
  const shapes: Shape[] = [];

  function emptyShape(path: readonly string[], level: number): Shape {
    const next = new Int8Array(MAX_FIELDS + 1);
    const shape = {
      index: shapes.length,
      level,
      path,
      names: [],
      fields: [],
      keys: [],
      byLength: [],
      next,
    };
    shapes.push(shape);
    return shape;
  }

  function add(shape: Shape, [name = '', ...rest]: readonly string[], field: Field): void {
    if (rest.length === 0) {
      shape.names.push(name);
      shape.fields.push(field);
      return;
    }
    let outer = shape.fields[shape.names.indexOf(name)];
    if (outer === undefined) {
      outer = { kind: 'object', shape: emptyShape([...shape.path, name], shape.level) };
      add(shape, [name], outer);
    }
    if (outer.kind !== 'object') throw new Error(`${name} is both a value and an object`);
    add(outer.shape, rest, field);
  }

  function compileShape({ columns, lists, parents }: ObjectTable, level: number): Shape {
    if (level > MAX_LEVEL) throw new Error('too many levels of rows');
    const shape = emptyShape([], level);
    for (const [column, { from, type }] of columns.entries())
      add(shape, from.split('.'), { kind: 'value', column, type });
    for (const { from, level: of } of parents)
      add(shape, from.split('.'), { kind: 'parent', level: of });
    for (const [list, { from, rows }] of lists.entries())
      add(shape, [from, 'elements'], { kind: 'rows', list, shape: compileShape(rows, level + 1) });
    return shape;
  }

  const root = compileShape(table, 0);
  for (const shape of shapes) addKeys(shape);
  return { root, shapes, recordsUnmapped };
}

function addKeys(shape: Shape): void {
  if (shape.names.length > MAX_FIELDS) throw new Error('too many members for the bit mask');
  for (const [index, name] of shape.names.entries()) {
    const key = Buffer.from(`"${name}":`);
    shape.keys.push(key);
    (shape.byLength[key.length - 3] ??= []).push(index);
  }
}
