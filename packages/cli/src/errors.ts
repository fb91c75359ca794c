import type { ExportError } from '@tillroll/client';
import { EXIT, UsageError } from './exit.ts';

/** By its name rather than its class: the library is loaded only by commands that need it. */
export function isExportError(error: unknown): error is ExportError {
  return error instanceof Error && error.name === 'ExportError' && 'code' in error;
}

/** Line breaks and control characters would let one error look like several, or paint a terminal. */
export function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
}

/** A message and what to do about it, as one line. */
export function withHint(message: string, hint: string | undefined): string {
  if (!hint) return oneLine(message);
  return `${oneLine(message).replace(/[.;:]$/, '')}. ${oneLine(hint)}`;
}

/** The library's options, which are not spelled as the command's. */
const OPTIONS: readonly [RegExp, string][] = [
  [/\bsinceLast\b/g, '--since-last'],
  [/\boverlapMs\b/g, '--overlap'],
  [/\bdownloads\b/g, '--parallel'],
  [/^(from|to|timezone|format|types|concurrency)\b/, '--$1'],
  [/\bwith (format|gzip|timezone)\b/, 'with --$1'],
  [/\bPull with from\b/, 'Pull with --from'],
];

function inOptions(text: string): string {
  return OPTIONS.reduce((said, [name, option]) => said.replace(name, option), text);
}

/** What is said of an error, without a stack. */
export function errorText(error: unknown): string {
  if (isExportError(error)) {
    const isUsage = error.code === 'USAGE';
    const hint = error.hint === undefined || !isUsage ? error.hint : inOptions(error.hint);
    return withHint(isUsage ? inOptions(error.message) : error.message, hint);
  }
  if (error instanceof AggregateError && error.message === '')
    return error.errors.map((each) => errorText(each)).join('; ');
  if (error instanceof Error) return oneLine(error.message || error.name);
  return oneLine(String(error));
}

/** The codes that do not simply mean: failed. */
const EXIT_CODES: Readonly<Partial<Record<string, number>>> = {
  USAGE: EXIT.usage,
  UNAVAILABLE: EXIT.tryLater,
  INTERRUPTED: EXIT.interrupted,
};

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  return (isExportError(error) && EXIT_CODES[error.code]) || EXIT.failed;
}
