/** Starts the throw-away service that is attacked. */
import { chmod, mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand, startServer, type ServerProcess } from '../scripts/server-process.ts';

/** A throw-away service with its own PostgreSQL and the settings that it has by default. */
export class Service {
  readonly directory: string;
  readonly port: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly logFile: string;
  #server: ServerProcess | undefined;

  private constructor(directory: string, port: number) {
    this.directory = directory;
    this.port = port;
    this.logFile = `${directory}.log`;
    this.environment = { TILLROLL_DATA_DIR: directory, PORT: String(port) };
  }

  static async create(): Promise<Service> {
    const directory = await mkdtemp(join(tmpdir(), 'tillroll-attack-'));
    // PostgreSQL does not run as root. When the user that it runs as may enter this directory, its files stay here, too.
    await chmod(directory, 0o755);
    return new Service(directory, await findPort());
  }

  get pid(): number {
    return this.#server?.pid ?? 0;
  }

  /** The directory that uploads are spooled in. */
  get spool(): string {
    return join(this.directory, 'spool');
  }

  async start(signal?: AbortSignal): Promise<void> {
    this.#server = await startServer('all', this.environment, this.logFile, signal);
  }

  /** Ends it without asking, as a crash would, and starts it again. */
  async restart(): Promise<void> {
    await this.#kill();
    await this.start();
  }

  async #kill(): Promise<void> {
    if (!this.isRunning()) return;
    process.kill(this.pid, 'SIGKILL');
    for (let n = 0; n < 100 && this.isRunning(); n++) await delay(50);
  }

  isRunning(): boolean {
    if (this.pid === 0) return false;
    try {
      return process.kill(this.pid, 0);
    } catch {
      return false;
    }
  }

  /** Runs an operator's command on the same data directory. @returns what it printed. */
  command(args: readonly string[], signal?: AbortSignal): Promise<string> {
    return runCommand(args, this.environment, signal);
  }

  async logBytes(): Promise<number> {
    return (await stat(this.logFile)).size;
  }

  /** Ends it in order and removes what it left. */
  async remove(): Promise<void> {
    await this.#server?.stop();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    await rm(this.logFile, { force: true });
  }
}

/** A free port: the service keeps it over restarts, so that signed URLs stay the same. */
async function findPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}
