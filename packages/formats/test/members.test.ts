import { MEMBERS, type Member, type MemberKind, type Members } from '@tillroll/contract';
import { expect, test } from 'vitest';
import { ROWS } from '../src/tables.ts';
import type { ColumnType, Rows } from '../src/table-types.ts';

/** The check of a member when it is loaded, so that a column of this type reads it as everyone does. */
const KINDS: Record<ColumnType, readonly MemberKind[]> = {
  VARCHAR: ['id', 'text'],
  BIGINT: ['integer', 'ratio'],
  BOOLEAN: ['flag'],
  TIMESTAMPTZ: ['time'],
};

function find(members: Members, path: readonly string[]): Member | undefined {
  const [first = '', ...rest] = path;
  const member = Object.hasOwn(members, first) ? members[first] : undefined;
  if (rest.length === 0 || typeof member !== 'object')
    return rest.length === 0 ? member : undefined;
  return 'object' in member ? find(member.object, rest) : undefined;
}

/** Every column of the tables, with the member that the contract has at its place. */
function* columns(
  rows: Rows,
  members: Members,
  place = '',
): Generator<[string, ColumnType | 'parent', Member | undefined]> {
  for (const { from, type } of rows.columns)
    yield [`${place}${from}`, type, find(members, from.split('.'))];
  for (const { from } of rows.parents)
    yield [`${place}${from}`, 'parent', find(members, from.split('.'))];
  for (const list of rows.lists) {
    const member = members[list.from];
    if (typeof member !== 'object' || !('elements' in member))
      throw new Error(`the contract has no collection ${place}${list.from}`);
    yield* columns(list.rows, member.elements, `${place}${list.from}.`);
  }
}

function count(members: Members): number {
  return Object.values(members).reduce((sum, member) => {
    if (typeof member === 'string') return sum + 1;
    return sum + count('object' in member ? member.object : member.elements);
  }, 0);
}

test.each(['ORDERS', 'PAYMENTS'] as const)(
  '%s: loading checks every member that a column is made of, and no other',
  (type) => {
    const all = [...columns(ROWS[type], MEMBERS[type])];
    for (const [path, column, member] of all) {
      const allowed = column === 'parent' ? ['id'] : KINDS[column];
      expect(allowed, path).toContain(member);
    }
    expect(all).toHaveLength(count(MEMBERS[type]));
  },
);
