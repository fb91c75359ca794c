/** What is read of each object while its bytes go by. Money is in minor units, times are epoch ms. */
export interface Members {
  id: string;
  createdTime: number;
  /** `createdTime` where the object has none. */
  modifiedTime: number;
  currency: string;
  result: string;
  total: number;
  amount: number;
  tipAmount: number;
  taxAmount: number;
  /** Whether the object holds line breaks outside its strings. */
  hasBreaks: boolean;
}

export const NUMBER_MEMBERS = [
  'createdTime',
  'modifiedTime',
  'total',
  'amount',
  'tipAmount',
  'taxAmount',
] as const;
export const TEXT_MEMBERS = ['id', 'currency', 'result'] as const;

/** NaN and the empty string stand for a member that is not there, or is of another type. */
export function emptyMembers(): Members {
  const members = {} as Members;
  clear(members);
  return members;
}

/** One by one: `Object.assign` would cost more than reading an object's members. */
export function clear(m: Members): void {
  m.id = '';
  m.createdTime = Number.NaN;
  m.modifiedTime = Number.NaN;
  m.currency = '';
  m.result = '';
  m.total = Number.NaN;
  m.amount = Number.NaN;
  m.tipAmount = Number.NaN;
  m.taxAmount = Number.NaN;
  m.hasBreaks = false;
}
