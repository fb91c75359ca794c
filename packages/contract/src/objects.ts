/**
 * Orders and payments in Clover's v3 shapes, as far as Tillroll or its users name their members.
 * Money is an integer in minor units (cents); times are epoch milliseconds; a nested collection is
 * `{"elements":[...]}`. The service stores and returns objects as they came: more members may exist, and any
 * but `id` and `createdTime` may be absent. `docs/formats.md` has the same members as columns.
 */

export interface Elements<T> {
  elements: T[];
}

/** Members that are not described here. */
interface More {
  [member: string]: unknown;
}

export interface Ref extends More {
  id: string;
}

export interface TaxRate extends More {
  id?: string;
  name?: string;
  /** 100 % = 10,000,000. */
  rate?: number;
  taxAmount?: number;
}

export interface Discount extends More {
  id?: string;
  name?: string;
  /** Negative. One of the two is there. */
  amount?: number;
  percentage?: number;
  /** The order, in a discount of a whole order. */
  orderRef?: Ref;
  /** The line item, in a discount of one. */
  lineItemRef?: Ref;
}

/** A choice that changes an item, such as extra cheese. */
export interface Modification extends More {
  id?: string;
  modifier?: Ref;
  name?: string;
  alternateName?: string;
  /** Minor units, for one unit of the item; `price` of the line item does not include it. */
  amount?: number;
  /** The line item that it stands in. */
  lineItemRef?: Ref;
}

export interface LineItem extends More {
  id: string;
  item?: Ref;
  name?: string;
  /** Minor units, for one unit. */
  price?: number;
  /** Thousandths of a unit, for items sold by measure. */
  unitQty?: number;
  unitName?: string;
  note?: string;
  /** True for automatic gratuity and other fees. */
  isOrderFee?: boolean;
  refunded?: boolean;
  isRevenue?: boolean;
  createdTime?: number;
  discounts?: Elements<Discount>;
  modifications?: Elements<Modification>;
  /** The order that it stands in. */
  orderRef?: Ref;
}

export interface Order extends More {
  id: string;
  createdTime: number;
  modifiedTime: number;
  currency?: string;
  /** Without tips. */
  total?: number;
  /** Null for an order that its till never showed in a list. */
  state?: 'open' | 'locked' | null;
  paymentState?: string;
  payType?: string;
  title?: string;
  note?: string;
  employee?: Ref;
  device?: Ref;
  orderType?: Ref & { label?: string };
  taxRemoved?: boolean;
  isVat?: boolean;
  manualTransaction?: boolean;
  groupLineItems?: boolean;
  testMode?: boolean;
  lineItems?: Elements<LineItem>;
  discounts?: Elements<Discount>;
  /** In brief: the payments themselves have more members. */
  payments?: Elements<Payment>;
  refunds?: Elements<Refund>;
}

export interface Payment extends More {
  id: string;
  createdTime: number;
  clientCreatedTime?: number;
  /** Hours after `createdTime`, in batches, once the day is closed out. */
  modifiedTime: number;
  currency?: string;
  /** Without the tip. */
  amount?: number;
  /** Absent on cash; 0 when declined. */
  tipAmount?: number;
  taxAmount?: number;
  cashTendered?: number;
  /** Only payments with `SUCCESS` brought money. */
  result?: string;
  offline?: boolean;
  order?: Ref;
  employee?: Ref;
  device?: Ref;
  tender?: { id?: string; label?: string; labelKey?: string } & More;
  cardTransaction?: CardTransaction;
  taxRates?: Elements<TaxRate>;
  refunds?: Elements<Refund>;
}

export interface CardTransaction extends More {
  cardType?: string;
  entryType?: string;
  last4?: string;
  type?: string;
  authCode?: string;
  referenceId?: string;
  state?: string;
}

export interface Refund extends More {
  id?: string;
  amount?: number;
  taxAmount?: number;
  createdTime?: number;
  payment?: Ref;
  /** The order, in a refund that stands in one. */
  orderRef?: Ref;
}
