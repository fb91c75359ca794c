import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { startServer, startWorker, type ServerProcess } from '../../scripts/server-process.ts';
import { requireInTime } from './wait.ts';

export type RoleName = 'all' | 'serve' | 'work';

const READY_S = 60;

/** A role of the service as a real process. */
export class Role {
  readonly name: RoleName;
  /** The address that it listens on; empty for a worker. */
  readonly url: string;
  readonly pid: number;
  readonly logFile: string;
  readonly #process: Pick<ServerProcess, 'stop'>;

  private constructor(name: RoleName, started: ServerProcess, logFile: string) {
    this.name = name;
    this.url = started.url;
    this.pid = started.pid;
    this.logFile = logFile;
    this.#process = started;
  }

  /** Starts a role and waits until it is ready. @param logFile takes its log; a new one for each process. */
  static async start(
    name: RoleName,
    environment: Readonly<Record<string, string>>,
    logFile: string,
    signal: AbortSignal,
  ): Promise<Role> {
    if (name !== 'work')
      return new Role(name, await startServer(name, environment, logFile, signal), logFile);
    const role = new Role(name, { url: '', ...(await startWorker(environment, logFile)) }, logFile);
    const isReady = async (): Promise<boolean> => (await role.readLog()).includes('"worker ready"');
    await requireInTime('a worker is ready', isReady, READY_S, signal).catch(async (cause) => {
      await role.stop();
      throw new Error(`a worker did not start: ${(await role.readLog()).slice(-1000)}`, { cause });
    });
    return role;
  }

  readLog(): Promise<string> {
    return readFile(this.logFile, 'utf8');
  }

  isRunning(): boolean {
    try {
      return process.kill(this.pid, 0);
    } catch {
      return false;
    }
  }

  send(signal: NodeJS.Signals): void {
    if (this.isRunning()) process.kill(this.pid, signal);
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    this.send('SIGKILL');
    while (this.isRunning()) await delay(5);
  }

  /** Ends it in order, also when it is stopped. */
  async stop(): Promise<void> {
    this.send('SIGCONT');
    await this.#process.stop();
  }
}
