/**
 * Orders and payments in Clover's v3 shapes, as far as Tillroll or its users name their members.
 * Money is an integer in minor units (cents); times are epoch milliseconds; a nested collection is
 * `{"elements":[...]}`. The service stores and returns objects as they came: more members may exist.
 */

export interface Elements<T> {
  elements: T[];
}

export interface Ref {
  id: string;
}

export interface TaxRate {
  id?: string;
  name?: string;
  /** 100 % = 10,000,000. */
  rate?: number;
  taxAmount?: number;
}

export interface Discount {
  id?: string;
  name?: string;
  /** Negative when fixed. */
  amount?: number;
  percentage?: number;
}

export interface LineItem {
  id: string;
  name?: string;
  /** Minor units, for one unit. */
  price?: number;
  /** Thousandths of a unit, for items sold by measure. */
  unitQty?: number;
  note?: string;
  /** True for automatic gratuity and other fees. */
  isOrderFee?: boolean;
  refunded?: boolean;
  createdTime?: number;
  discounts?: Elements<Discount>;
}

export interface Order {
  id: string;
  createdTime: number;
  modifiedTime: number;
  currency?: string;
  /** Sum of the payments' amounts, without tips. */
  total?: number;
  state?: 'open' | 'locked' | null;
  paymentState?: string;
  title?: string;
  note?: string;
  employee?: Ref;
  lineItems?: Elements<LineItem>;
  discounts?: Elements<Discount>;
  payments?: Elements<Payment>;
  refunds?: Elements<Refund>;
}

export interface Payment {
  id: string;
  createdTime: number;
  /** Hours after `createdTime`, in batches, once the day is closed out. */
  modifiedTime: number;
  currency?: string;
  amount?: number;
  /** Absent on cash; 0 when declined. */
  tipAmount?: number;
  taxAmount?: number;
  result?: string;
  order?: Ref;
  employee?: Ref;
  tender?: { id?: string; label?: string; labelKey?: string };
  cardTransaction?: Record<string, unknown>;
  taxRates?: Elements<TaxRate>;
  refunds?: Elements<Refund>;
}

export interface Refund {
  id: string;
  amount?: number;
  taxAmount?: number;
  createdTime?: number;
  payment?: Ref;
}
