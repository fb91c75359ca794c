/** Reads parameters of a query whose validator would take too much, or name too little, and headers of a request. */
import {
  EXPORT_STATUSES,
  EXPORT_TYPES,
  MAX_IDEMPOTENCY_KEY_LENGTH,
  MAX_TIME_MS,
  MAX_WAIT_S,
  shown,
  type ExportStatus,
  type ExportType,
} from '@tillroll/contract';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { badRequest } from './errors.ts';

function readParameter(request: FastifyRequest, name: string): unknown {
  return Reflect.get(request.query as object, name);
}

/** A whole number in digits: a validator would take `0x10`, `1e3` and `Infinity` for numbers, too. @throws 400 */
function readInteger(request: FastifyRequest, name: string, max: number): number | null {
  const sent = readParameter(request, name);
  if (sent === undefined) return null;
  // A number where the validator has read it already.
  const isDigits =
    typeof sent === 'number' || (typeof sent === 'string' && /^[0-9]{1,16}$/.test(sent));
  const value = isDigits ? Number(sent) : Number.NaN;
  if (value <= max) return value;
  throw badRequest(`${name} must be a whole number in digits from 0 to ${max}; got ${shown(sent)}`);
}

function readChoice<T extends string>(
  request: FastifyRequest,
  name: string,
  choices: readonly T[],
): T | null {
  const sent = readParameter(request, name);
  if (sent === undefined) return null;
  const chosen = choices.find((choice) => choice === sent);
  if (chosen !== undefined) return chosen;
  throw badRequest(`${name} must be one of ${choices.join(', ')}; got ${shown(sent)}`);
}

/** Judges the query of a list before the validator, whose messages say less. @throws 400 */
export function judgeListQuery(
  request: FastifyRequest,
  _reply: FastifyReply,
  done: (error?: Error) => void,
): void {
  for (const name of ['limit', 'offset']) {
    const sent = readParameter(request, name);
    if (sent !== undefined && !(typeof sent === 'string' && /^[0-9]{1,10}$/.test(sent))) {
      done(badRequest(`${name} must be a whole number in digits; got ${shown(sent)}`));
      return;
    }
  }
  readFilters(request);
  done();
}

/** `true` or `false`; false unless given. @throws 400 */
export function readFlag(request: FastifyRequest, name: string): boolean {
  return readChoice(request, name, ['true', 'false']) === 'true';
}

/** The longest wait of a read, milliseconds; null when it does not wait. @throws 400 */
export function readWait(request: FastifyRequest): number | null {
  const seconds = readInteger(request, 'wait', MAX_WAIT_S);
  return seconds === null ? null : seconds * 1000;
}

/** The filters of a list; null where one is not given. Times are epoch milliseconds. */
export interface ListFilters {
  status: ExportStatus | null;
  type: ExportType | null;
  createdSince: number | null;
  createdBefore: number | null;
}

/** @throws 400 */
export function readFilters(request: FastifyRequest): ListFilters {
  return {
    status: readChoice(request, 'status', EXPORT_STATUSES),
    type: readChoice(request, 'type', EXPORT_TYPES),
    createdSince: readInteger(request, 'createdSince', MAX_TIME_MS),
    createdBefore: readInteger(request, 'createdBefore', MAX_TIME_MS),
  };
}

/** The `Idempotency-Key` of a request; null when there is none. @throws 400 */
export function readIdempotencyKey({ raw }: FastifyRequest): string | null {
  const sent = raw.headersDistinct['idempotency-key'];
  if (sent === undefined) return null;
  const [key = ''] = sent;
  const isOne = sent.length === 1 && /^[!-~]+$/.test(key);
  if (isOne && key.length <= MAX_IDEMPOTENCY_KEY_LENGTH) return key;
  throw badRequest(
    `Idempotency-Key must be sent once, with 1 to ${MAX_IDEMPOTENCY_KEY_LENGTH} visible ASCII characters; got ${shown(sent.length === 1 ? key : sent)}`,
  );
}
