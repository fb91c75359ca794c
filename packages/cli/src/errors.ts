/** Turns errors into one line of text and an exit code. */
import { printable } from '@tillroll/contract';
import type { ExportError } from '@tillroll/client';
import { EXIT, UsageError } from './exit.ts';
import { findFlag } from './option-names.ts';

/** Compares the name rather than the class: the library is loaded only by commands that need it. */
export function isExportError(error: unknown): error is ExportError {
  return error instanceof Error && error.name === 'ExportError' && 'code' in error;
}

/** Makes one line of a text that may come from a server, a receipt or a file name, safe for a terminal. */
export function oneLine(text: string): string {
  return printable(text.replaceAll(/\s+/g, ' ').trim());
}

/** A message and what to do about it, as one line. */
export function withHint(message: string, hint: string | undefined): string {
  if (!hint) return oneLine(message);
  return `${oneLine(message).replace(/[.;:]$/, '')}. ${oneLine(hint)}`;
}

/** The message of an error as one line, without a stack. */
export function errorText(error: unknown): string {
  if (isExportError(error)) {
    const flag = findFlag(error.option);
    const message = flag === undefined ? error.message : `${flag} ${error.detail}`;
    return withHint(message, error.hint);
  }
  if (error instanceof AggregateError && error.message === '')
    return error.errors.map((each) => errorText(each)).join('; ');
  if (error instanceof Error) return oneLine(error.message || error.name);
  return oneLine(String(error));
}

/** Exit codes other than 1. */
const EXIT_CODES: Readonly<Partial<Record<string, number>>> = {
  USAGE: EXIT.usage,
  UNAVAILABLE: EXIT.tryLater,
  INTERRUPTED: EXIT.interrupted,
};

export function findExitCode(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  return (isExportError(error) && EXIT_CODES[error.code]) || EXIT.failed;
}
