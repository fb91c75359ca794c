/** A request to the API, before the address and the token are added. */
export interface ApiRequest {
  method: 'GET' | 'POST' | 'DELETE';
  /** Below the connection's address. */
  path: string;
  body?: string;
  /** Makes sending it twice the same as sending it once. */
  idempotencyKey?: string;
  /** True when the token is sent. Default true. */
  isAuthorized?: boolean;
  /** True when a 503 is thrown at once, because the caller decides about waiting. Otherwise it is tried again as any 5xx. */
  throwsUnavailable?: boolean;
}
