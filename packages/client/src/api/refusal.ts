/** Makes errors of answers that are refusals or redirects. */
import type { IncomingHttpHeaders } from 'node:http';
import { ExportError, type ErrorCode } from '../errors.ts';
import type { Refusal } from '../http/answer.ts';
import { findHeader } from '../http/headers.ts';
import { parseRetryAfter } from '../http/retry-after.ts';

const WRONG_ADDRESS = 'Check that this is the address of an export API';

const SERVER_FAULT = {
  code: 'NETWORK',
  hint: 'The service is at fault; try again later',
} as const;

/** Statuses that have a meaning of their own (wire contract, errors). */
const REFUSALS: Readonly<Record<number, { code: ErrorCode; hint?: string }>> = {
  401: {
    code: 'UNAUTHORIZED',
    hint: 'Check that the token is whole, is for this merchant, and has the permission to read this type',
  },
  404: { code: 'NOT_FOUND', hint: 'Check the id, the merchant and the address' },
  408: SERVER_FAULT,
  429: {
    code: 'UNAVAILABLE',
    hint: 'Too many requests with this token; let other programs finish first',
  },
  // Trying again does not help: this is not an export API, or only a part of one.
  501: { code: 'REFUSED', hint: WRONG_ADDRESS },
  503: { code: 'UNAVAILABLE', hint: 'Try again later' },
};

/**
 * Makes the error for an answer that is neither a success nor a redirect.
 * @param isAuthorized whether the request was sent with the token.
 */
export function refusalError(
  host: string,
  status: number,
  { text, isJson }: Refusal,
  headers: IncomingHttpHeaders,
  isAuthorized: boolean,
): ExportError {
  const { code, hint: usualHint } =
    REFUSALS[status] ?? (status < 500 ? { code: 'REFUSED', hint: undefined } : SERVER_FAULT);
  // An answer that is not JSON, or to a request without a token, is not about the token or an id.
  const isWrongServer = status < 500 && status !== 429 && (!isJson || !isAuthorized);
  const hint = isWrongServer ? WRONG_ADDRESS : usualHint;
  const retryAfterMs = parseRetryAfter(headers, Date.now());
  const id = findHeader(headers, 'x-request-id');
  const request = id !== undefined && /^[\w-]{1,64}$/.test(id) ? ` (request ${id})` : '';
  return new ExportError(code, `${host} answered ${text}${request}`, {
    status,
    retryAfterMs,
    hint,
  });
}

/** Makes the error for a redirect of an API call. */
export function redirectError(
  address: string,
  status: number,
  headers: IncomingHttpHeaders,
): ExportError {
  const to = findHeader(headers, 'location') ?? 'nowhere';
  return new ExportError('PROTOCOL', `${address} redirects to ${to.slice(0, 200)}`, {
    status,
    hint: 'The token is not sent there; if that is the service, give its address as url',
  });
}
