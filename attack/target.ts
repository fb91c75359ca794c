/** The service under attack as attackers and the normal client see it. Plain data, because it crosses processes. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** The normal client, at 127.0.0.1. */
  readonly normal: Caller;
  /** The attacker's app at its own merchant, with every permission. */
  readonly attacker: Caller;
  /** The attacker's app at the same merchant, with ORDERS_R alone. */
  readonly readOnlyToken: string;
  /** The attacker's app at further merchants. */
  readonly branches: readonly Caller[];
}

export interface Caller {
  readonly merchant: string;
  readonly token: string;
  /** An export of this caller that is DONE. */
  readonly exportId: string;
  /** Paths, with query, of the signed URLs of that export's files. */
  readonly files: readonly string[];
}

/** The span of all generated orders, epoch milliseconds. */
export const FROM = Date.UTC(2026, 0, 1);
export const TO = Date.UTC(2026, 0, 31);
