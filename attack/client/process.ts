/** Runs the normal client in a process of its own. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Target } from '../target.ts';
import type { ClientOrder, ClientReport } from './main.ts';

export type { ClientReport };

const PROGRAM = fileURLToPath(new URL('main.ts', import.meta.url));
/** Longer than its longest request and round. */
const REPORT_MS = 25_000;

/** The normal client, in a process of its own, so that nothing but the service makes it wait. */
export class NormalClient {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(PROGRAM, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child.on('error', () => undefined);
  }

  begin(target: Target): void {
    this.#send({ kind: 'begin', target });
  }

  /** Ends what `begin` began; polls under way are awaited. */
  async end(): Promise<ClientReport> {
    return this.#report({ kind: 'end' });
  }

  /** One round at once. */
  async round(target: Target): Promise<ClientReport> {
    return this.#report({ kind: 'round', target });
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }

  async #report(order: ClientOrder): Promise<ClientReport> {
    const answer = once(this.#child, 'message', { signal: AbortSignal.timeout(REPORT_MS) });
    this.#send(order);
    const [report] = (await answer) as [ClientReport];
    return report;
  }

  #send(order: ClientOrder): void {
    this.#child.send(order, () => undefined);
  }
}
