import type { ExportType } from '@tillroll/contract';
import { layoutOf, type Layout } from './shape.ts';
import { ORDER, PAYMENT, type Rows } from './tables.ts';

/** What one object of a type gives. */
export const ROWS: Record<ExportType, Rows> = { ORDERS: ORDER, PAYMENTS: PAYMENT };
export const LAYOUTS: Record<ExportType, Layout> = {
  ORDERS: layoutOf(ORDER),
  PAYMENTS: layoutOf(PAYMENT),
};
