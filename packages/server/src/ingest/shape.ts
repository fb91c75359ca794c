/** The contract's members, laid out for the scanner. */
import { MEMBERS, type ExportType, type Member, type Members } from '@tillroll/contract';

/** The kind of a known member. `LIST` is the array of a collection, `{"elements":[...]}`. */
export const KIND = {
  ID: 0,
  TEXT: 1,
  FLAG: 2,
  INTEGER: 3,
  TIME: 4,
  RATIO: 5,
  OBJECT: 6,
  LIST: 7,
} as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

const KINDS = {
  id: KIND.ID,
  text: KIND.TEXT,
  flag: KIND.FLAG,
  integer: KIND.INTEGER,
  time: KIND.TIME,
  ratio: KIND.RATIO,
} as const;

/** The known members of one object, laid out for a scanner that compares bytes. Indexes are parallel. */
export interface Shape {
  readonly names: string[];
  /** UTF-8 of `names`. */
  readonly keys: Buffer[];
  /** Path for people, from the outermost object: `lineItems.elements[].price`. */
  readonly paths: string[];
  readonly kinds: Kind[];
  /** The shape of an object, or of each element of a list. */
  readonly inner: (Shape | null)[];
  /** By the length of a key in bytes: the indexes it may have. */
  readonly byLength: number[][];
}

function addMember(shape: Shape, name: string, outer: string, member: Member): void {
  const path = `${outer}${name}`;
  const index = shape.names.push(name) - 1;
  const key = Buffer.from(name);
  shape.keys.push(key);
  shape.paths.push(path);
  (shape.byLength[key.length] ??= []).push(index);
  if (typeof member === 'string') {
    shape.kinds.push(KINDS[member]);
    shape.inner.push(null);
  } else {
    shape.kinds.push(KIND.OBJECT);
    shape.inner.push(
      'object' in member
        ? createShape(member.object, `${path}.`)
        : createCollection(member.elements, `${path}.`),
    );
  }
}

function emptyShape(): Shape {
  return { names: [], keys: [], paths: [], kinds: [], inner: [], byLength: [] };
}

function createCollection(members: Members, path: string): Shape {
  const shape = emptyShape();
  addMember(shape, 'elements', path, { object: {} });
  shape.kinds[0] = KIND.LIST;
  shape.inner[0] = createShape(members, `${path}elements[].`);
  return shape;
}

function createShape(members: Members, path = ''): Shape {
  const shape = emptyShape();
  for (const [name, member] of Object.entries(members)) addMember(shape, name, path, member);
  // The members already seen of an object are the bits of one integer.
  if (shape.names.length > 31) throw new Error(`too many members in ${path}`);
  return shape;
}

export const SHAPES: Readonly<Record<ExportType, Shape>> = {
  ORDERS: createShape(MEMBERS.ORDERS),
  PAYMENTS: createShape(MEMBERS.PAYMENTS),
};
