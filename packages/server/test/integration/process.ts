import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

export const BIN = fileURLToPath(new URL('../../bin/tillroll-server.js', import.meta.url));

/** A role of the service as a real process. */
export interface Child {
  /** The address it listens on; empty for a worker. */
  readonly url: string;
  readonly pid: number;
  /** Lines logged so far. */
  log(): string;
  logged(message: string): number;
  kill(signal: NodeJS.Signals): void;
  /** Resolves with the exit code, or the signal that ended it, once its worker is gone, too. */
  readonly exited: Promise<number | string>;
}

interface StartOptions {
  /** The Node that runs it; default: that of the tests. */
  node?: string | undefined;
  /** A process group of its own, as a shell gives it. */
  detached?: boolean;
  /** Called with all lines logged so far, whenever there are more; also before it is ready. */
  onLog?: (log: string) => void;
}

const children: ChildProcess[] = [];

/**
 * Starts a role and waits until it is ready.
 * @param environment all that it sees beside the caller's PATH.
 */
export async function startChild(
  role: 'all' | 'serve' | 'work',
  environment: Record<string, string>,
  { node = process.execPath, detached = false, onLog = () => undefined }: StartOptions = {},
): Promise<Child> {
  const child = spawn(node, [BIN, role], {
    env: { ...inherited(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached,
  });
  children.push(child);
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
    onLog(log);
  });
  const exited = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  let url = role === 'work' ? '' : null;
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('ready ')) url = line.slice('ready '.length);
  });
  await until(
    `${role} is ready`,
    () => {
      if (child.exitCode !== null) throw new Error(`${role} ended: ${log}`);
      return url !== null && (role !== 'work' || log.includes('"worker ready"'));
    },
    { timeoutMs: 40_000 },
  );
  return {
    url: url ?? '',
    pid: child.pid ?? 0,
    log: () => log,
    logged: (message) => log.split(`"msg":${JSON.stringify(message)}`).length - 1,
    kill: (signal) => void child.kill(signal),
    exited,
  };
}

/** Runs an operator's command to its end. @returns what it printed. */
export async function command(
  args: readonly string[],
  environment: Record<string, string>,
): Promise<string> {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { ...inherited(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let output = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`tillroll-server ${args.join(' ')}: ${code}: ${complaint}`);
  return output.trim();
}

/** Tells whether a process has not ended yet. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Ends whatever a test left running; for `afterEach`. */
export async function endChildren(): Promise<void> {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    // The worker of `all` has the same stderr, and ends a moment later.
    const closed = once(child, 'close');
    // One that is stopped dies of SIGKILL all the same.
    child.kill('SIGKILL');
    await closed;
  }
}

/** The caller's shell must not configure a service under test. */
function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !name.startsWith('TILLROLL_') && !['DATABASE_URL', 'HOST', 'PORT'].includes(name),
    ),
  );
}
