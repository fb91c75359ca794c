/** Describes errors on one line, and finds their codes. */
import { inspect } from 'node:util';

/** An error's message and those of its causes, on one line; for logs and for a terminal. */
export function oneLine(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error, depth = 0; at !== undefined && at !== null && depth < 5; depth++) {
    const message = formatMessage(at);
    // A wrapper often repeats its cause's text.
    if (!parts.some((part) => part.includes(message))) parts.push(message);
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts
    .join(': ')
    .split('\n')
    .map((line) => line.trim())
    .join(' ');
}

/** One thing's own message. Libraries also throw, or emit, copies of errors that are plain objects. */
function formatMessage(thing: unknown): string {
  if (typeof thing === 'string') return thing;
  if (typeof thing !== 'object' || thing === null) return String(thing);
  const message: unknown = Reflect.get(thing, 'message');
  if (typeof message === 'string' && message !== '') return message;
  // A connection that was tried at several addresses fails without a message of its own.
  const errors: unknown = Reflect.get(thing, 'errors');
  if (Array.isArray(errors) && errors.length > 0) return errors.map(formatMessage).join(', ');
  return (
    findErrorCode(thing) ?? (thing instanceof Error ? thing.name : inspect(thing, { depth: 1 }))
  );
}

/** The `code` that Node's system errors and PostgreSQL's errors carry (`ENOSPC`, `57P01`). */
export function findErrorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' ? code : undefined;
}
