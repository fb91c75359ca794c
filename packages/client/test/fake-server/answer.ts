import {
  errorBody,
  TOO_MANY_REQUESTS_BODY,
  UNAUTHORIZED_BODY,
  EXPORT_NOT_FOUND_BODY,
} from '@tillroll/contract';

/** An answer before faults are applied to it. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  /** A stream has no known length. */
  body: Buffer | AsyncIterable<Buffer>;
  /** The answer is whole and right when all of it has been sent. */
  onSent?: () => void;
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  };
}

/** An error in the shape of the contract, verbatim where that is fixed. */
export function refusal(
  status: number,
  details?: string,
  headers: Record<string, string> = {},
): Answer {
  if (status === 401)
    return json(401, UNAUTHORIZED_BODY, { 'www-authenticate': 'Bearer', ...headers });
  if (status === 429)
    return json(429, TOO_MANY_REQUESTS_BODY, { 'x-ratelimit-tokenlimit': '16', ...headers });
  return json(status, errorBody(status, details ?? 'A fault that was asked for'), headers);
}

export function exportNotFound(): Answer {
  return json(404, EXPORT_NOT_FOUND_BODY);
}
