/**
 * Advisory locks of PostgreSQL, all in one place so that no two meanings share a number. The first
 * key is the meaning; the second, where there is one, is a hash of the thing locked.
 */
export const LOCKS = {
  /** One process migrates at a time. */
  MIGRATE: 0x7111_0001,
  /** Counting the open exports and inserting one more is one step. */
  CREATE_EXPORT: 0x7111_0002,
  /** One merge at a time into a merchant's orders, or payments: overlapping loads cannot deadlock. */
  MERGE: 0x7111_0003,
  /** One process at a time gives the store its identity. */
  BIND_STORE: 0x7111_0005,
  /** One process at a time makes or retires a key of receipts. */
  RECEIPT_KEYS: 0x7111_0006,
} as const;
