/** Prometheus' own checks, for tests. */
import { spawnSync } from 'node:child_process';

/**
 * Tells whether Prometheus' own checks can run here: `apt-get install prometheus` brings promtool.
 * @throws Error in CI when they cannot.
 */
export function hasPromtool(): boolean {
  if (spawnSync('promtool', ['--version']).status === 0) return true;
  const reason = 'promtool is missing (Debian: prometheus): its checks are skipped';
  if (process.env['CI'] === 'true') throw new Error(reason);
  process.stderr.write(`${reason}\n`);
  return false;
}

/** Runs promtool. @returns its exit code and what it said. */
export function promtool(args: readonly string[], input = ''): { status: number; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  return { status: status ?? -1, output: `${stdout}${stderr}`.trim() };
}
