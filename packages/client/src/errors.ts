/** What went wrong, for programs. `docs/client.md` lists what to do about each. */
export const ERROR_CODES = [
  /** The caller's own input: an option, a date, an address. */
  'USAGE',
  /** 401: the token is missing, unknown, revoked, or not for this merchant or type. */
  'UNAUTHORIZED',
  /** 404: no such export, or none of ours. */
  'NOT_FOUND',
  /** Any other 4xx: asking again would get the same answer. */
  'REFUSED',
  /** 503 when the caller does not want to wait, or for longer than is worth waiting. */
  'UNAVAILABLE',
  /** A time limit of ours ran out. */
  'TIMEOUT',
  /** No answer, or none that held, after all retries. */
  'NETWORK',
  /** The far side answers, but not as an export API does. */
  'PROTOCOL',
  /** The export ended as FAILED or CANCELED. */
  'EXPORT_FAILED',
  /** The files of an export are no longer there. */
  'GONE',
  /** A file is not what was promised: cut off, altered, or no JSON. */
  'BAD_FILE',
  /** One export holds the same id twice. */
  'DUPLICATE_ID',
  /** The output directory cannot be used. */
  'DIRECTORY',
  /** Another process works in the output directory. */
  'LOCKED',
  /** The disk is full or failing. */
  'DISK',
  /** An optional package is needed for what was asked. */
  'MISSING_PACKAGE',
  /** The caller's signal ended it. */
  'INTERRUPTED',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

export interface ExportErrorDetail {
  /** HTTP status; absent when there was no answer. */
  status?: number | undefined;
  /** Milliseconds after which the far side asks to come again, when it says so. */
  retryAfterMs?: number | undefined;
  /** What to do next, as a sentence. */
  hint?: string | undefined;
  cause?: unknown;
}

/** Every error of this library: what was wrong, with which value, and what to do next. */
export class ExportError extends Error {
  override name = 'ExportError';
  readonly code: ErrorCode;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, detail: ExportErrorDetail = {}) {
    // Some of it is the far side's words: no control character of theirs is to reach a terminal.
    super(
      message.replaceAll(/\p{Cc}+/gu, ' '),
      detail.cause === undefined ? undefined : { cause: detail.cause },
    );
    this.code = code;
    this.status = detail.status;
    this.retryAfterMs = detail.retryAfterMs;
    this.hint = detail.hint;
  }
}

/** The caller's input cannot be used. */
export function usageError(message: string, hint?: string): ExportError {
  return new ExportError('USAGE', message, { hint });
}
