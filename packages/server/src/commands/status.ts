/** The operator's command `status`. */
import { readConfig } from '../config/config.ts';
import { print } from './print.ts';
import { ReportedError } from './run.ts';
import { readStatus } from './status-read.ts';
import { findProblems, toScreen, toStatusJson } from './status-text.ts';

/** Prints the state of the service. @throws ReportedError when something is wrong. */
export async function statusCommand(
  options: { json?: boolean },
  signal: AbortSignal,
): Promise<void> {
  const config = readConfig(process.env);
  const status = await readStatus(config, signal);
  const problems = findProblems(status);
  const text = options.json
    ? JSON.stringify(toStatusJson(status, problems))
    : toScreen(status, problems).join('\n');
  await print(`${text}\n`);
  if (problems.length > 0) throw new ReportedError(problems.join('; '));
}
