/** The shapes that describe tables: their columns, their rows, and how rows are nested in an object. */

/** `level` 0 is the order or payment, 1 a line item. */
export interface Parent {
  /** Path of the member. */
  from: string;
  level: number;
}

export type ColumnType = 'VARCHAR' | 'BIGINT' | 'BOOLEAN' | 'TIMESTAMPTZ';

export interface Column {
  name: string;
  type: ColumnType;
  /** Path of the member in its object, such as `employee.id`; for a key column, words. */
  from: string;
  unit: string;
}

/** The rows of one kind of object: its own, and lists of further rows below it. */
export interface Rows {
  columns: readonly Column[];
  /** Members that repeat the id of an object that this one stands in. */
  parents: readonly Parent[];
  lists: readonly List[];
}

/** A nested collection, `{"elements":[...]}`. */
export interface List {
  from: string;
  name: string;
  rows: Rows;
}

export interface Table {
  name: string;
  comment: string;
  /** Columns that say where the row belongs; they are not members of its own object. */
  keys: readonly Column[];
  columns: readonly Column[];
  primaryKey: readonly string[];
}
