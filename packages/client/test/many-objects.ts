/** Objects in such numbers that each export has several files. */

import type { ExportType } from '@tillroll/contract';
import { LONG } from './scene.ts';

export const TYPES: ExportType[] = ['ORDERS', 'PAYMENTS'];

export const DAY_MS = 86_400_000;

/** A year's objects would take a test too long; these are cut into files as a service cuts them. */
export const MANY = { ...LONG, orders: 3000, payments: 2500, perFile: 1000 };
