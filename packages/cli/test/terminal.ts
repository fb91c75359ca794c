import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { BIN } from './run.ts';
import { Screen } from './screen.ts';

export interface TerminalCall {
  env?: Record<string, string>;
  columns?: number;
  rows?: number;
}

/** The command on a real pseudo-terminal. */
export class TerminalRun implements AsyncDisposable {
  readonly screen: Screen;
  /** Everything that was written, as it came. */
  output = '';
  readonly #child;
  readonly #ended: Promise<number | null>;
  readonly #changes = new EventTarget();

  constructor(args: readonly string[], { env, columns = 80, rows = 24 }: TerminalCall = {}) {
    this.screen = new Screen(columns || 80);
    const python = join(import.meta.dirname, 'run_on_terminal.py');
    this.#child = spawn(
      'python3',
      [python, String(columns), String(rows), process.execPath, BIN, ...args],
      {
        env: { PATH: process.env['PATH'], HOME: '/nonexistent', TERM: 'xterm-256color', ...env },
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    this.#child.stdin.on('error', () => undefined);
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      this.screen.write(text);
      this.#changes.dispatchEvent(new Event('change'));
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject).once('close', resolve);
    });
  }

  /** Waits until the screen has what is looked for. @throws Error when the command ends before. */
  async until(isThere: (screen: Screen) => boolean): Promise<void> {
    let code: number | null | undefined;
    const end = this.#ended.then((value) => {
      code = value;
      this.#changes.dispatchEvent(new Event('change'));
    });
    end.catch(() => undefined);
    while (!isThere(this.screen)) {
      if (code !== undefined)
        throw new Error(`ended with ${code}, and the screen is\n${this.screen.lines.join('\n')}`);
      await once(this.#changes, 'change', { signal: AbortSignal.timeout(20_000) });
    }
  }

  type(text: string): void {
    this.#child.stdin.write(`type ${JSON.stringify(text)}\n`);
  }

  resize(columns: number, rows: number): void {
    this.#child.stdin.write(`resize ${columns} ${rows}\n`);
  }

  /** @returns the exit code. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#ended;
  }
}
