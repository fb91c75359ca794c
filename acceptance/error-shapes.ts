/** Checks the shapes of error answers, as clients compare them. */
import { expect } from 'vitest';
import type { Answer } from './exact-requests.ts';

export const UNAUTHORIZED = '{"message":"401 Unauthorized"}';
export const EXPORT_NOT_FOUND = '{"message":"Not Found","details":"Export not found"}';

const REASONS: Record<number, RegExp> = {
  400: /^400 Bad Request$/,
  403: /^403 Forbidden$/,
  404: /^404 Not Found$/,
  405: /^405 Method Not Allowed$/,
  410: /^410 Gone$/,
  // RFC 9110 renamed it; the contract does not say which name is meant.
  413: /^413 (Payload|Content) Too Large$/,
  416: /^416 Range Not Satisfiable$/,
  431: /^431 Request Header Fields Too Large$/,
  503: /^503 Service Unavailable$/,
};

/**
 * `{"message":"<status> <reason>","details":"..."}`, and nothing of our insides in it.
 * @returns the details.
 */
export function expectError(answer: Answer, status: number): string {
  expect(answer.status, answer.text.slice(0, 500)).toBe(status);
  expectJsonObject(answer);
  const body = JSON.parse(answer.text) as { message: string; details: string };
  expect(Object.keys(body)).toEqual(['message', 'details']);
  expect(body.message).toMatch(REASONS[status] ?? new RegExp(`^${status} `));
  expect(body.details).toBeTypeOf('string');
  expect(body.details.trim()).not.toBe('');
  return body.details;
}

/** Every error is a JSON object without stack or SQL. */
export function expectJsonObject(answer: Answer): void {
  expect(answer.headers.get('content-type')).toMatch(/^application\/json\b/i);
  const body: unknown = JSON.parse(answer.text);
  expect(body).toBeTypeOf('object');
  expect(body).not.toBeNull();
  expect(Array.isArray(body)).toBe(false);
  expect(answer.text).not.toMatch(/\n?\s+at .*\.[jt]s:\d+|node_modules|node:internal/);
  expect(answer.text).not.toMatch(
    /\b(SELECT|INSERT INTO|UPDATE|COPY) .*\b(FROM|SET|VALUES|STDIN)\b|syntax error at or near/,
  );
}

export function expectUnauthorized(answer: Answer): void {
  expect(answer.status, answer.text).toBe(401);
  expect(answer.text).toBe(UNAUTHORIZED);
}

export function expectExportNotFound(answer: Answer): void {
  expect(answer.status, answer.text).toBe(404);
  expect(answer.text).toBe(EXPORT_NOT_FOUND);
}
