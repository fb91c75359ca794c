/** Runs the `tillroll` command as a real process, for the demo, the bench and the examples. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CLIENT_BIN = fileURLToPath(new URL('../packages/cli/bin/tillroll.js', import.meta.url));

/** The caller's environment without what would connect the command to somewhere else. */
export function clientEnvironment(own: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('TILLROLL_'));
  return { ...Object.fromEntries(inherited), ...own };
}

/** Runs the command with this terminal. @throws Error when it does not end with 0. */
export async function pullWithCommand(
  args: readonly string[],
  own: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const child = spawn(process.execPath, [CLIENT_BIN, ...args], {
    env: clientEnvironment(own),
    stdio: 'inherit',
  });
  // A terminal's Ctrl-C reaches the child as well; a signal to us alone does not.
  const onAbort = (): void => {
    child.kill('SIGTERM');
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const [code] = (await once(child, 'close')) as [number | null];
  signal.removeEventListener('abort', onAbort);
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`tillroll ${args[0]} ended with ${code}`);
}
