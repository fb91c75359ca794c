/** The tables that loading fills, and the members that their typed columns hold. */
import type { ExportType } from '@tillroll/contract';

/** A typed column, and the member of an object that it holds: text or an integer. */
export interface Column {
  /** Column of the table. */
  name: string;
  /** Member of the object; absent or null is stored as NULL. */
  member: string;
  kind: 'text' | 'integer';
}

export interface Relation {
  table: string;
  columns: readonly Column[];
}

/** Ids of objects that are to be deleted, on their way to the database. No table of that name exists. */
export const IDS: Relation = { table: 'tillroll.ids', columns: [] };

/** Selection and order need `id` and `createdTime`; these are for totals. Money is in minor units. */
export const RELATIONS: Readonly<Record<ExportType, Relation>> = {
  ORDERS: {
    table: 'tillroll.orders',
    columns: [
      { name: 'currency', member: 'currency', kind: 'text' },
      { name: 'total', member: 'total', kind: 'integer' },
    ],
  },
  PAYMENTS: {
    table: 'tillroll.payments',
    columns: [
      { name: 'currency', member: 'currency', kind: 'text' },
      { name: 'amount', member: 'amount', kind: 'integer' },
      { name: 'tip_amount', member: 'tipAmount', kind: 'integer' },
      { name: 'tax_amount', member: 'taxAmount', kind: 'integer' },
      { name: 'result', member: 'result', kind: 'text' },
    ],
  },
};
