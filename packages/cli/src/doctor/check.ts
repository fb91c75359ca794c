/** The result of one check of `doctor`, and its lines. */
import { withHint } from '../errors.ts';
import { table } from '../summary/table.ts';

/** The result of checking one thing that a pull needs. */
export interface Check {
  /** `address`, `token`, `permissions`, `clock`, `hours`, ... */
  name: string;
  /** `warning`: a pull works, but not at once, or not all of it. */
  outcome: 'ok' | 'warning' | 'failed';
  message: string;
  /** The next step for the user. */
  hint?: string | undefined;
}

/** One line for each check, aligned. */
export function checkLines(checks: readonly Check[]): string[] {
  return table(
    checks.map(({ name, outcome, message, hint }) => [outcome, name, withHint(message, hint)]),
    [],
  );
}

export function hasFailed(checks: readonly Check[]): boolean {
  return checks.some(({ outcome }) => outcome === 'failed');
}
