/** Authenticates requests and checks their permissions. */
import { MERCHANT_ID, type Permission } from '@tillroll/contract';
import type { FastifyRequest } from 'fastify';
import {
  authenticate,
  judge,
  type Principal,
  type StoredInstall,
  type Verdict,
} from '../access/installs.ts';
import { parseToken } from '../access/token.ts';
import type { HttpContext } from './context.ts';
import { notFound, unauthorized } from './errors.ts';
import { MAX_TOKEN_BYTES } from './limits.ts';
import { countRequest } from './rate-limits.ts';
import { inTurn } from './turns.ts';

/** The merchant of the path. @throws 404 for what cannot be a merchant's id. */
export function parseMerchantId(request: FastifyRequest): string {
  const { mId } = request.params as { mId?: string };
  if (mId === undefined || !MERCHANT_ID.test(mId)) throw notFound();
  return mId;
}

/** The token of an `Authorization` header. @throws 401 */
function bearerToken(header: string): string {
  const [scheme = '', ...rest] = header.length > MAX_TOKEN_BYTES ? [] : header.trim().split(' ');
  const token = rest.at(-1);
  // Blanks between scheme and token, nothing else.
  const isOne = scheme.toLowerCase() === 'bearer' && rest.slice(0, -1).every((part) => part === '');
  if (!isOne || !token) throw unauthorized('token malformed');
  return token;
}

/** The token as it was sent: the header decides when both are there. */
function readToken(request: FastifyRequest): string {
  const headers = request.raw.headersDistinct['authorization'];
  if (headers !== undefined) {
    const [header = ''] = headers;
    if (headers.length > 1) throw unauthorized('token ambiguous');
    return bearerToken(header);
  }
  const { access_token: sent } = request.query as { access_token?: unknown };
  if (Array.isArray(sent)) throw unauthorized('token ambiguous');
  if (typeof sent !== 'string' || sent === '') throw unauthorized('token missing');
  if (sent.length > MAX_TOKEN_BYTES) throw unauthorized('token malformed');
  return sent;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route authenticates in the statement that it needs anyway, by `authenticateWith`. */
    authenticatesItself?: true;
  }
}

/** Finds out whom the request speaks for, unless its route does that by itself. @throws 401 */
export async function authenticateRequest(
  context: HttpContext,
  request: FastifyRequest,
): Promise<void> {
  if (request.routeOptions.config.authenticatesItself) return;
  const token = readToken(request);
  const merchantId = parseMerchantId(request);
  request.isKnown = context.turns.callers.has(token);
  const verdict = await inTurn(context, request, () =>
    authenticate(context.pool, token, merchantId),
  );
  accept(context, verdict, token, request);
}

/**
 * Authenticates in one statement with what the route reads.
 * @param read gets the id of the token's install, and returns that install beside whatever else it read.
 * @throws 401, before anything else that was read may be looked at.
 */
export async function authenticateWith<T extends { install: StoredInstall | null }>(
  context: HttpContext,
  request: FastifyRequest,
  read: (installId: string) => Promise<T>,
): Promise<T & { principal: Principal }> {
  const token = readToken(request);
  const parts = parseToken(token);
  const merchantId = parseMerchantId(request);
  if (!parts) throw unauthorized('token malformed');
  request.isKnown = context.turns.callers.has(token);
  const found = await inTurn(context, request, () => read(parts.installId), 'polls');
  const verdict = judge(parts.secret, found.install, merchantId);
  return { ...found, principal: accept(context, verdict, token, request) };
}

function accept(
  { turns, rateLimits }: HttpContext,
  verdict: Verdict,
  token: string,
  request: FastifyRequest,
): Principal {
  if (!verdict.ok) {
    if (request.isKnown) turns.callers.delete(token);
    throw unauthorized(verdict.refusal);
  }
  if (!request.isKnown) turns.callers.add(token);
  request.isKnown = true;
  countRequest(rateLimits, request, verdict.principal);
  return (request.principal = verdict.principal);
}

/** Returns the principal of a request, on routes behind `authenticateRequest`. @throws Error on others. */
export function requirePrincipal(request: FastifyRequest): Principal {
  if (!request.principal) throw new Error('the route is not behind authentication');
  return request.principal;
}

/** @throws 401 */
export function requirePermission(principal: Principal, permission: Permission): void {
  if (!principal.permissions.has(permission)) throw unauthorized('permission missing');
}
