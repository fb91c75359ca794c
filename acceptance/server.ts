/** Starts the real server as a child process, through its commands and its environment alone. */
import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync, appendFileSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const BIN = path.resolve(import.meta.dirname, '../packages/server/bin/tillroll-server.js');
const START_MS = 60_000;
const STOP_MS = 30_000;

export interface Running {
  url: string;
  /** Sends SIGTERM. @returns the exit code; throws when the process had to be killed. */
  stop(): Promise<number | null>;
}

/** A throw-away data directory, and the log beside it. */
export interface Place {
  dataDir: string;
  log: string;
  remove(): Promise<void>;
}

export async function makePlace(): Promise<Place> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'tillroll-acceptance-'));
  // PostgreSQL does not run as root. When the user that it runs as may enter this directory, its files stay here, too.
  await chmod(dataDir, 0o755);
  const log = `${dataDir}.log`;
  return {
    dataDir,
    log,
    async remove() {
      if (process.env['ACCEPTANCE_KEEP'] !== undefined) {
        console.log(`kept: ${dataDir} and ${log}`);
        return;
      }
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
      await rm(log, { force: true });
    },
  };
}

/** Ours alone: what the developer's shell sets for a real service must not leak in. */
function environment(place: Place, extra: Record<string, string>): NodeJS.ProcessEnv {
  const own = /^(TILLROLL_|ACCEPTANCE_|VITEST|NODE_ENV$|DATABASE_URL$|HOST$|PORT$)/;
  const inherited = Object.entries(process.env).filter(([name]) => !own.test(name));
  return {
    ...Object.fromEntries(inherited),
    PORT: '0',
    TILLROLL_DATA_DIR: place.dataDir,
    ...extra,
  };
}

/** Starts `all` or `serve` and waits for the line `ready http://HOST:PORT` on stdout. */
export async function startServer(
  place: Place,
  extra: Record<string, string> = {},
  role: 'all' | 'serve' = 'all',
): Promise<Running> {
  const stderr = openSync(place.log, 'a');
  const child = spawn(process.execPath, [BIN, role], {
    env: environment(place, extra),
    stdio: ['ignore', 'pipe', stderr],
  });
  closeSync(stderr);
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      resolve(code);
    });
  });
  const url = await new Promise<string>((resolve, reject) => {
    let waiting = true;
    let stdout = '';
    const fail = (why: string): void => {
      if (!waiting) return;
      waiting = false;
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`${why}; its log:\n${readFileSync(place.log, 'utf8').slice(-4000)}`));
    };
    const timer = setTimeout(() => {
      fail(`the server was not ready after ${START_MS} ms`);
    }, START_MS);
    child.once('error', (error) => {
      fail(`the server did not start: ${error.message}`);
    });
    child.once('exit', (code, signal) => {
      fail(`the server ended before it was ready (${String(code ?? signal)})`);
    });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      appendFileSync(place.log, text);
      if (!waiting) return;
      stdout += text;
      const ready = /^ready (https?:\/\/\S+)$/m.exec(stdout);
      if (ready?.[1] === undefined) return;
      waiting = false;
      clearTimeout(timer);
      resolve(ready[1].replace(/\/+$/, ''));
    });
  });
  return {
    url,
    async stop() {
      if (child.exitCode !== null) return child.exitCode;
      let killed = false;
      const timer = setTimeout(() => {
        killed = true;
        child.kill('SIGKILL');
      }, STOP_MS);
      child.kill('SIGTERM');
      const code = await exited;
      clearTimeout(timer);
      if (killed) throw new Error(`the server did not end within ${STOP_MS} ms of SIGTERM`);
      return code;
    },
  };
}

/** Runs one of the operator's commands on the same data directory. @returns its stdout, trimmed. */
export async function command(
  place: Place,
  args: readonly string[],
  extra: Record<string, string> = {},
): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [BIN, ...args], {
    env: environment(place, extra),
    timeout: START_MS,
  });
  return stdout.trim();
}

/** @returns the token of a new install: the command prints it alone. */
export async function install(
  place: Place,
  merchant: string,
  app: string,
  permissions: string,
): Promise<string> {
  const token = await command(place, [
    'install',
    '--merchant',
    merchant,
    '--app',
    app,
    '--permissions',
    permissions,
  ]);
  if (!/^\S+$/.test(token)) {
    throw new Error(
      `install must print the token alone on stdout; it printed ${token.length} characters`,
    );
  }
  return token;
}

export const ALL_PERMISSIONS = 'ORDERS_R,PAYMENTS_R,ORDERS_W,PAYMENTS_W';
