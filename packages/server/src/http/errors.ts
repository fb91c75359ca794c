/** All errors of the API, and their one renderer. */
import {
  errorBody,
  EXPORT_NOT_FOUND_BODY,
  UNAUTHORIZED_BODY,
  type ErrorBody,
} from '@tillroll/contract';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Refusal } from '../access/installs.ts';
import { isTransient } from '../database/faults.ts';
import { findErrorCode, oneLine } from '../errors.ts';
import { BadCursor, CursorGone } from '../exports/changes.ts';
import { KeyReused } from '../exports/idempotency.ts';
import { Overloaded } from '../fair-semaphore.ts';
import { BadBody, InstallRevoked, NoRoom, Purged, TooLarge } from '../ingest/errors.ts';
import type { Observer } from '../observer.ts';
import { Unavailable } from '../unavailable.ts';
import type { HttpLog } from './log.ts';

/** An answer that is an error: the one shape in which routes refuse. */
export class HttpError extends Error {
  override name = 'HttpError';
  readonly status: number;
  readonly body: ErrorBody;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    status: number,
    body: ErrorBody,
    headers: Readonly<Record<string, string>> = {},
    reason?: string,
  ) {
    super(reason ?? body.details ?? body.message);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** The caller closed its connection before its answer. Nobody reads what is answered now. */
export class CallerGone extends HttpError {
  override name = 'CallerGone';
  constructor() {
    super(408, errorBody(408, 'the caller closed the connection before its answer'));
  }
}

// The catalogue.

type HttpAnswer = ConstructorParameters<typeof HttpError>;

export const badRequest = (details: string): HttpError =>
  new HttpError(400, errorBody(400, details));

/** The caller is not known, or may not ask for this. */
export class AuthenticationFailed extends HttpError {
  override name = 'AuthenticationFailed';
  readonly refusal: Refusal | 'signature wrong';
  constructor(refusal: AuthenticationFailed['refusal'], ...answer: HttpAnswer) {
    super(...answer);
    this.refusal = refusal;
  }
}

/** Which of the reasons it was goes to the log, never to the caller. */
export const unauthorized = (refusal: Refusal): HttpError =>
  new AuthenticationFailed(
    refusal,
    401,
    UNAUTHORIZED_BODY,
    { 'www-authenticate': 'Bearer' },
    refusal,
  );

export const badSignature = (): HttpError =>
  new AuthenticationFailed(
    'signature wrong',
    403,
    errorBody(
      403,
      'The signature of this URL is missing or does not match; read the export again for fresh URLs',
    ),
  );

export const filesGone = (): HttpError =>
  new HttpError(
    410,
    errorBody(410, 'The files of this export have expired; create the export again'),
  );

/** A file is missing although its export is available. @param reason for the log: which file, and where. */
export const fileLost = (reason: string): HttpError =>
  new HttpError(
    503,
    errorBody(
      503,
      'This file is missing from the store of the service, although its export has not expired; the platform must restore it. Try again later, or create the export again',
    ),
    { 'retry-after': '60' },
    reason,
  );

export const exportNotFound = (): HttpError => new HttpError(404, EXPORT_NOT_FOUND_BODY);

export const notFound = (): HttpError =>
  new HttpError(404, errorBody(404, 'There is no such resource; /openapi.json lists all of them'));

export const methodNotAllowed = (method: string, allowed: readonly string[]): HttpError =>
  new HttpError(
    405,
    errorBody(405, `${method} is not allowed here; allowed: ${allowed.join(', ')}`),
    {
      allow: allowed.join(', '),
    },
  );

export const receiptNotReady = (status: string): HttpError =>
  new HttpError(
    409,
    errorBody(409, `Only an export that is DONE has a receipt; this one is ${status}`),
  );

/** @param limit in bytes. */
export const bodyTooLarge = (limit: number): HttpError =>
  new HttpError(
    413,
    errorBody(
      413,
      `The body is larger than ${limit} bytes, the most a request of this kind may have`,
    ),
  );

/** @param details what was received, and in which time. */
export const bodyTooSlow = (details: string): HttpError =>
  new HttpError(408, errorBody(408, details));

export const bodyBroken = (cause: unknown): HttpError => {
  const error = badRequest(
    'the connection broke before the whole body was there; nothing of it was stored',
  );
  error.cause = cause;
  return error;
};

export const bodyTooShredded = (): HttpError =>
  new HttpError(
    413,
    errorBody(413, 'The body comes in too many small chunks; send it whole, or in chunks of 1 KiB'),
  );

export const unsupportedEncoding = (encoding: string): HttpError =>
  new HttpError(
    415,
    errorBody(
      415,
      `Content-Encoding must be gzip or identity; got ${JSON.stringify(encoding.slice(0, 80))}`,
    ),
    {
      'accept-encoding': 'gzip, identity',
    },
  );

export const rangeNotSatisfiable = (size: number): HttpError =>
  new HttpError(416, errorBody(416, `Range lies outside of the ${size} bytes of this file`), {
    'content-range': `bytes */${size}`,
  });

/** Faults of this machine that pass: the caller may come again. */
const TRANSIENT_CODES = new Set(['ENOSPC', 'EMFILE', 'ENFILE', 'EDQUOT']);

function fromFastify(error: FastifyError): HttpError | null {
  switch (error.code) {
    case 'FST_ERR_VALIDATION':
      return badRequest(error.message);
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return notFound();
    default:
      return typeof error.statusCode === 'number' &&
        error.statusCode >= 400 &&
        error.statusCode < 500
        ? new HttpError(error.statusCode, errorBody(error.statusCode, error.message))
        : null;
  }
}

/** Everything that can be thrown, as an answer. What we do not know is ours: 500 without a detail. */
export function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof Unavailable) {
    const headers: Record<string, string> =
      error.retryAfterSeconds === null ? {} : { 'retry-after': String(error.retryAfterSeconds) };
    return new HttpError(503, errorBody(503, error.message), headers);
  }
  if (error instanceof BadCursor) return badRequest(error.message);
  if (error instanceof CursorGone) return new HttpError(410, errorBody(410, error.message));
  if (error instanceof KeyReused) return new HttpError(422, errorBody(422, error.message));
  if (error instanceof Overloaded) {
    return new HttpError(
      503,
      errorBody(503, 'The service has too many requests at the moment; try again'),
      { 'retry-after': '1' },
      error.message,
    );
  }
  if (error instanceof NoRoom) {
    const headers = { 'retry-after': String(error.retryAfterSeconds) };
    return new HttpError(503, errorBody(503, error.message), headers, oneLine(error));
  }
  if (error instanceof InstallRevoked) return unauthorized('token revoked');
  if (error instanceof Purged) return new HttpError(409, errorBody(409, error.message));
  if (error instanceof BadBody) return badRequest(error.message);
  if (error instanceof TooLarge) return new HttpError(413, errorBody(413, error.message));
  if (error instanceof Error) {
    const known = fromFastify(error as FastifyError);
    if (known) return known;
  }
  if (TRANSIENT_CODES.has(findErrorCode(error) ?? '') || isTransient(error)) {
    return new HttpError(
      503,
      errorBody(503, 'The service lacks a resource at the moment; try again'),
      { 'retry-after': '5' },
      oneLine(error),
    );
  }
  return new HttpError(
    500,
    errorBody(500, 'Something went wrong on our side; the log has the request id'),
    {},
    oneLine(error),
  );
}

export type ErrorRenderer = (
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
) => FastifyReply;

/** The one renderer. What callers can cause at will has one line a second in the log, and no stack. */
export function errorRenderer(
  log: HttpLog,
  observer: Pick<Observer, 'authenticationFailed'>,
): ErrorRenderer {
  return (error, request, reply) => {
    const answer = toHttpError(error);
    const { status, body, headers, message } = answer;
    if (answer instanceof AuthenticationFailed) observer.authenticationFailed(answer.refusal);
    if (error instanceof Overloaded) {
      request.overloaded = true;
      log.overloaded(message);
    } else if (status === 503 && !(error instanceof Unavailable)) {
      log.failing(
        findErrorCode(error) ?? (error instanceof Error ? error.name : 'unknown'),
        message,
      );
    } else if (status >= 500 && !(error instanceof Unavailable)) {
      // A stack helps where nobody knows what happened; a 503 says it in its reason.
      const stack = status === 500 && error instanceof Error ? error.stack : undefined;
      request.log.error({ error: oneLine(error), stack }, 'request failed');
    }
    request.refusal = message;
    return reply.code(status).headers(headers).type('application/json').send(body);
  };
}
