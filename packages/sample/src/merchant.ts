/** Makes a generated merchant: its staff, devices, taxes and menu. */
import type { Ref } from '@tillroll/contract';
import { createIds } from './ids.ts';
import { MENU, type Dish } from './menu.ts';
import { createRandom, wordsFrom } from './prng.ts';

/** The properties of a merchant that do not depend on span and seed. */
export interface Merchant {
  currency: string;
  employees: readonly Ref[];
  devices: readonly Ref[];
  tables: number;
  taxRate: { id: string; name: string; rate: number };
  tenders: Record<'credit' | 'debit' | 'cash', { id: string; label: string; labelKey: string }>;
  orderTypes: Record<'table' | 'counter', Ref & { label: string }>;
  items: ReadonlyMap<Dish, Ref>;
}

const TAX_RATES = [
  { name: 'NYC sales tax', rate: 887_500 },
  { name: 'CA sales tax', rate: 725_000 },
  { name: 'TX sales tax', rate: 825_000 },
  { name: 'FL sales tax', rate: 600_000 },
] as const;

export function makeMerchant(merchantId: string): Merchant {
  const random = createRandom(wordsFrom('merchant', merchantId));
  const nextId = createIds(wordsFrom('merchant ids', merchantId));
  const refs = (count: number): Ref[] => Array.from({ length: count }, () => ({ id: nextId() }));
  return {
    currency: 'USD',
    employees: refs(random.int(4, 12)),
    devices: refs(random.int(1, 4)),
    tables: random.int(8, 40),
    taxRate: { id: nextId(), ...random.pick(TAX_RATES) },
    tenders: {
      credit: { id: nextId(), label: 'Credit Card', labelKey: 'com.clover.tender.credit_card' },
      debit: { id: nextId(), label: 'Debit Card', labelKey: 'com.clover.tender.debit_card' },
      cash: { id: nextId(), label: 'Cash', labelKey: 'com.clover.tender.cash' },
    },
    orderTypes: {
      table: { id: nextId(), label: 'Dine In' },
      counter: { id: nextId(), label: 'To Go' },
    },
    items: new Map(MENU.map((dish) => [dish, { id: nextId() }])),
  };
}
