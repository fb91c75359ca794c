/** The library's error: its codes, and what each does to a pull. */
import { printable } from '@tillroll/contract';

/** Properties of an error code. */
interface ErrorTraits {
  /**
   * Reach of the failure inside a pull. `call`: the arguments of this call; nothing was done.
   * `month`: the other months continue. `pull`: nothing more can be done now.
   */
  scope: 'call' | 'month' | 'pull';
  /** True when the same request may succeed when it is sent again shortly. */
  isTransient: boolean;
  /** True when a later run can continue with the export that was being worked on. */
  isResumable: boolean;
}

/** Every error code, for programs. `docs/client.md` lists what to do about each. */
export const ERRORS = {
  /** The caller's own input: an option, a date, an address. */
  USAGE: { scope: 'call', isTransient: false, isResumable: true },
  /** 401: the token is missing, unknown, revoked, or not for this merchant or type. */
  UNAUTHORIZED: { scope: 'pull', isTransient: false, isResumable: true },
  /** 404: the export does not exist, or belongs to another app. */
  NOT_FOUND: { scope: 'pull', isTransient: false, isResumable: false },
  /** Any other 4xx, 501, or a server that speaks another protocol: the same request gets the same answer. */
  REFUSED: { scope: 'pull', isTransient: false, isResumable: true },
  /** 503 when the caller does not want to wait, or after the longest wait; 429 again and again. */
  UNAVAILABLE: { scope: 'pull', isTransient: true, isResumable: true },
  /** An export did not end within the time limit. */
  TIMEOUT: { scope: 'month', isTransient: false, isResumable: true },
  /** No answer, or an incomplete one, after all retries; a fault of the server (5xx). */
  NETWORK: { scope: 'pull', isTransient: true, isResumable: true },
  /** The server answers, but not as an export API does. */
  PROTOCOL: { scope: 'month', isTransient: false, isResumable: true },
  /** The export ended as FAILED or CANCELED. */
  EXPORT_FAILED: { scope: 'month', isTransient: false, isResumable: false },
  /** The files of an export are no longer available. */
  GONE: { scope: 'month', isTransient: false, isResumable: false },
  /** A file does not match its manifest, is incomplete, or is not JSON. */
  BAD_FILE: { scope: 'month', isTransient: false, isResumable: false },
  /** One export holds the same id twice. */
  DUPLICATE_ID: { scope: 'month', isTransient: false, isResumable: false },
  /** The output directory cannot be used. */
  DIRECTORY: { scope: 'pull', isTransient: false, isResumable: true },
  /** Another process uses the output directory. */
  LOCKED: { scope: 'pull', isTransient: false, isResumable: true },
  /** The disk is full or failing. */
  DISK: { scope: 'pull', isTransient: false, isResumable: true },
  /** An optional package is needed. */
  MISSING_PACKAGE: { scope: 'call', isTransient: false, isResumable: true },
  /** The caller's signal ended the call. */
  INTERRUPTED: { scope: 'pull', isTransient: false, isResumable: true },
} as const satisfies Record<string, ErrorTraits>;

/** The code of an error. */
export type ErrorCode = keyof typeof ERRORS;
export const ERROR_CODES: readonly ErrorCode[] = Object.keys(ERRORS) as ErrorCode[];

/** Details of an error. */
export interface ExportErrorOptions {
  /** HTTP status; absent when there was no answer. */
  status?: number | undefined;
  /** Milliseconds after which the server asks for the next request, if it says so. */
  retryAfterMs?: number | undefined;
  /** The next step for the user, as a sentence. */
  hint?: string | undefined;
  /** Name of the option of this library that a USAGE error is about, such as `overlapMs`. */
  option?: string | undefined;
  cause?: unknown;
}

/** Every error of this library: what was wrong, with which value, and what to do next. */
export class ExportError extends Error {
  override name = 'ExportError';
  readonly code: ErrorCode;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly hint: string | undefined;
  readonly option: string | undefined;
  /** The message without the option's name in front: a command puts its own flag there. */
  readonly detail: string;

  /** @param detail may quote a server or a file: it is made safe for a terminal, as is the hint. */
  constructor(code: ErrorCode, detail: string, options: ExportErrorOptions = {}) {
    const { status, retryAfterMs, hint, option, cause } = options;
    const safe = printable(detail);
    super(
      option === undefined ? safe : `${option} ${safe}`,
      cause === undefined ? undefined : { cause },
    );
    this.code = code;
    this.detail = safe;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.hint = hint === undefined ? undefined : printable(hint);
    this.option = option;
  }
}

/**
 * Makes an error about the caller's input.
 * @param detail continues after the option's name: `must be one of jsonl, csv; got "xml"`.
 */
export function usageError(
  detail: string,
  options: Pick<ExportErrorOptions, 'option' | 'hint' | 'cause'> = {},
): ExportError {
  return new ExportError('USAGE', detail, options);
}

/** Makes the error for an export that holds an id twice: nothing of it can be trusted. */
export function duplicateIdError(exportId: string, id: string): ExportError {
  return new ExportError(
    'DUPLICATE_ID',
    `export ${exportId} holds the id ${JSON.stringify(id)} twice`,
    { hint: 'The service is at fault; report it there' },
  );
}
