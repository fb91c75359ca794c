import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Holder } from '../src/directory/holder.ts';
import { Lease } from '../src/directory/lease.ts';
import type { Waiting } from '../src/http/retry.ts';
import { temporary } from './output-directory.ts';

const FAST = { intervalMs: 50, patienceMs: 500 };
const MODULE = new URL('../src/directory/lease.ts', import.meta.url).href;

interface Place {
  out: string;
  own: string;
  lock: string;
}

function place(): Place {
  const out = temporary();
  const own = join(out, '.tillroll');
  mkdirSync(own);
  return { out, own, lock: join(own, 'lock') };
}

async function acquire(
  out: string,
  options: Partial<Parameters<typeof Lease.acquire>[1]> = {},
): Promise<Lease> {
  const lease = await Lease.acquire(out, {
    signal: new AbortController().signal,
    ...FAST,
    ...options,
  });
  onTestFinished(() => lease[Symbol.asyncDispose]());
  return lease;
}

function holderIn(lock: string): Holder {
  return JSON.parse(readFileSync(lock, 'utf8')) as Holder;
}

interface Contender {
  /** The next line that it prints. */
  said: () => Promise<string>;
  send: (line: 'check' | 'end') => void;
  kill: (signal: NodeJS.Signals) => void;
  gone: Promise<unknown>;
}

/** A process that acquires the lease, then checks it whenever it is asked, and releases it at `end`. */
function contend(out: string, wrapper: readonly string[] = []): Contender {
  const program = `
    import { createInterface } from 'node:readline';
    const { Lease } = await import(${JSON.stringify(MODULE)});
    const fault = (error) => error.code + ' ' + error.message;
    try {
      const signal = new AbortController().signal;
      const lease = await Lease.acquire(${JSON.stringify(out)}, { signal, ...${JSON.stringify(FAST)} });
      console.log('held');
      for await (const line of createInterface({ input: process.stdin })) {
        if (line === 'end') break;
        console.log(await lease.check().then(() => 'sound', fault));
      }
      await lease[Symbol.asyncDispose]();
      process.exit();
    } catch (error) { console.log(fault(error)); process.exit(); }`;
  const [command, ...args] = [...wrapper, process.execPath, '--input-type=module', '-e', program];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  let rest = '';
  const waiting: ((line: string) => void)[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const whole = (rest + text).split('\n');
    rest = whole.pop() ?? '';
    for (const line of whole) (waiting.shift() ?? ((said) => void lines.push(said)))(line);
  });
  return {
    said: async () => lines.shift() ?? new Promise((resolve) => void waiting.push(resolve)),
    send: (line) => void child.stdin.write(`${line}\n`),
    kill: (signal) => void child.kill(signal),
    gone: once(child, 'exit'),
  };
}

/** A lock file as another holder would write it. */
function foreign(changes: Partial<Holder> = {}): string {
  const holder: Holder = {
    host: 'elsewhere',
    pid: 4242,
    boot: '00000000-0000-4000-8000-000000000000',
    namespace: 'pid:[1]',
    started: '1',
    token: 'theirs',
    counter: '000000000001',
    ...changes,
  };
  return `${JSON.stringify(holder)}\n`;
}

describe('a lease', () => {
  test('keeps a second process out until the first one ends, and says who holds it', async () => {
    const { out, own } = place();
    const first = contend(out);
    expect(await first.said()).toBe('held');
    const { pid } = holderIn(join(own, 'lock'));
    const waits: Waiting[] = [];
    await expect(acquire(out, { onWaiting: (wait) => waits.push(wait) })).rejects.toMatchObject({
      code: 'LOCKED',
      message: `${out} is in use by process ${pid} on ${hostname()}`,
    });
    // It is seen at work: nothing has to be waited for.
    expect(waits).toEqual([]);
    const second = contend(out);
    expect(await second.said()).toBe(`LOCKED ${out} is in use by process ${pid} on ${hostname()}`);
    first.send('check');
    expect(await first.said()).toBe('sound');
    first.send('end');
    await first.gone;
    expect(readdirSync(own)).toEqual([]);
    const lease = await acquire(out);
    expect(readdirSync(own)).toEqual(['lock']);
    await lease[Symbol.asyncDispose]();
    expect(readdirSync(own)).toEqual([]);
  });

  test('of a process that was killed is taken over at once', async () => {
    const { out, own, lock } = place();
    const first = contend(out);
    expect(await first.said()).toBe('held');
    first.kill('SIGKILL');
    await first.gone;
    expect(existsSync(lock)).toBe(true);
    // With a patience that the test would not outlive.
    const onWaiting = vi.fn();
    await acquire(out, { patienceMs: 3_600_000, onWaiting });
    expect(onWaiting).not.toHaveBeenCalled();
    expect(holderIn(lock).pid).toBe(process.pid);
    expect(readdirSync(own)).toEqual(['lock']);
  });

  test('of a process that is stopped is taken over, and is lost when it continues', async () => {
    const { out, lock } = place();
    const first = contend(out);
    expect(await first.said()).toBe('held');
    first.kill('SIGSTOP');
    const holderPid = holderIn(lock).pid;
    const stat = `/proc/${holderPid}/stat`;
    await vi.waitUntil(() => readFileSync(stat, 'utf8').includes(') T '));
    const waits: Waiting[] = [];
    const lease = await acquire(out, { onWaiting: (wait) => waits.push(wait) });
    expect(waits).toMatchObject([{ reason: 'lock', opens: null }]);
    expect(waits[0]?.message).toContain(`process ${holderPid} on`);
    const text = readFileSync(lock, 'utf8');
    first.kill('SIGCONT');
    first.send('check');
    expect(await first.said()).toMatch(
      new RegExp(`^LOCKED ${out} was lost to process ${process.pid} on `),
    );
    first.send('end');
    await first.gone;
    // Neither its renewals nor its release touch the lease of another one.
    await lease.check();
    expect(holderIn(lock).token).toBe((JSON.parse(text) as Holder).token);
  });

  test('of a process whose number was given to another one is taken over at once', async () => {
    const { out, lock } = place();
    const self = await acquire(out);
    const holder = holderIn(lock);
    await self[Symbol.asyncDispose]();
    writeFileSync(lock, foreign({ ...holder, started: '1', token: 'x' }));
    await acquire(out, { patienceMs: 3_600_000 });
  });

  test('of another host that renews it is respected', async () => {
    const { out, lock } = place();
    writeFileSync(lock, foreign());
    let counter = 1;
    const renewal = setInterval(
      () => writeFileSync(lock, foreign({ counter: String(++counter).padStart(12, '0') })),
      100,
    );
    onTestFinished(() => clearInterval(renewal));
    await expect(acquire(out)).rejects.toMatchObject({
      code: 'LOCKED',
      message: `${out} is in use by process 4242 on elsewhere`,
    });
    expect(holderIn(lock).host).toBe('elsewhere');
  });

  test.each([-3_600_000, 0, 3_600_000])(
    'of another host is taken over once it was seen unchanged, with clocks %i ms apart',
    async (ms) => {
      const { out, lock } = place();
      writeFileSync(lock, foreign());
      const shifted = new Date(Date.now() + ms);
      utimesSync(lock, shifted, shifted);
      const before = performance.now();
      await acquire(out);
      expect(performance.now() - before).toBeGreaterThan(FAST.patienceMs);
      expect(holderIn(lock).pid).toBe(process.pid);
    },
  );

  test('does not look at the clock: one that jumps takes nothing from a holder that renews', async () => {
    const { out } = place();
    const first = contend(out);
    expect(await first.said()).toBe('held');
    const real = Date.now;
    let jumps = 0;
    vi.spyOn(Date, 'now').mockImplementation(() => real() + (jumps += 3_600_000));
    onTestFinished(() => void vi.restoreAllMocks());
    await expect(acquire(out)).rejects.toMatchObject({ code: 'LOCKED' });
    first.send('check');
    expect(await first.said()).toBe('sound');
  });

  test('is not given to two processes that have pid 1 in namespaces of their own', async (context) => {
    const unshare = ['unshare', '--pid', '--fork', '--mount-proc'];
    const probe = spawn('unshare', [...unshare.slice(1), 'true'], { stdio: 'ignore' });
    const isAllowed = await once(probe, 'exit').then(
      ([code]) => code === 0,
      () => false,
    );
    if (!isAllowed) return context.skip();
    const { out, lock } = place();
    const [first, second] = [contend(out, unshare), contend(out, unshare)];
    const said = await Promise.all([first.said(), second.said()]);
    expect(said.toSorted()).toEqual([
      `LOCKED ${out} is in use by process 1 on ${hostname()}`,
      'held',
    ]);
    expect(holderIn(lock).pid).toBe(1);
    // Nobody here may think that it is dead: this process sees another pid 1.
    await expect(acquire(out)).rejects.toMatchObject({ code: 'LOCKED' });
    (said[0] === 'held' ? first : second).send('end');
  });

  test.each(['', '{', 'null', '[]', '{"pid":', '{"pid":-1,"host":"x","token":"y"}'])(
    'that holds %j is nobody’s, once it was seen unchanged',
    async (text) => {
      const { out, lock, own } = place();
      writeFileSync(lock, text);
      const lease = await acquire(out);
      expect(holderIn(lock).pid).toBe(process.pid);
      await lease[Symbol.asyncDispose]();
      expect(readdirSync(own)).toEqual([]);
    },
  );

  test('is given to one of many that want it at once, also when a stale one is there', async () => {
    const texts = [undefined, 'rubbish', foreign(), 'dead'];
    for (const [round, text] of texts.entries()) {
      const { out, own, lock } = place();
      if (text === 'dead') {
        const first = contend(out);
        expect(await first.said()).toBe('held');
        first.kill('SIGKILL');
        await first.gone;
      } else if (text !== undefined) writeFileSync(lock, text);
      const signal = new AbortController().signal;
      const taken = await Promise.allSettled(
        Array.from({ length: 12 }, async (_, i) => {
          for (let turns = 0; turns < (i * 7 * round) % 31; turns++)
            await new Promise(setImmediate);
          return Lease.acquire(out, { signal, ...FAST });
        }),
      );
      const held = taken.filter((result) => result.status === 'fulfilled');
      for (const result of taken)
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'LOCKED' });
      expect(held, `round ${round}`).toHaveLength(1);
      await held[0]?.value.check();
      await held[0]?.value[Symbol.asyncDispose]();
      expect(readdirSync(own)).toEqual([]);
    }
  });

  test('is given to one of two processes that wait for a stale one', async () => {
    const { out, lock } = place();
    writeFileSync(lock, foreign());
    const both = [contend(out), contend(out)];
    const said = await Promise.all(both.map((one) => one.said()));
    const [first = ''] = said.toSorted();
    expect(said.toSorted()[1]).toBe('held');
    expect(first).toMatch(/^LOCKED .* is in use by process \d+ on /);
    const holder = both[said.indexOf('held')];
    holder?.send('check');
    expect(await holder?.said()).toBe('sound');
  });

  test('needs no hard links', async () => {
    const link = vi.spyOn(fs, 'link').mockRejectedValue(new Error('no hard links here'));
    onTestFinished(() => void vi.restoreAllMocks());
    const { out, lock } = place();
    writeFileSync(lock, foreign());
    await acquire(out);
    expect(link).not.toHaveBeenCalled();
    const source = readFileSync(new URL(MODULE), 'utf8');
    expect(source).not.toMatch(/\blink(?:Sync)?\(/);
  });

  test('that was replaced is not removed by its former holder', async () => {
    const { out, lock } = place();
    const lease = await acquire(out);
    writeFileSync(`${lock}.new`, foreign());
    await fs.rename(`${lock}.new`, lock);
    await expect(lease.check()).rejects.toMatchObject({ code: 'LOCKED' });
    await lease[Symbol.asyncDispose]();
    expect(readFileSync(lock, 'utf8')).toBe(foreign());
  });

  test('that somebody removed is lost', async () => {
    const { out, lock } = place();
    const lease = await acquire(out);
    await fs.rm(lock);
    await expect(lease.check()).rejects.toMatchObject({ code: 'LOCKED' });
    // For good: another process may have worked meanwhile.
    await expect(lease.check()).rejects.toMatchObject({ code: 'LOCKED' });
  });

  test('is renewed with a text of the same length', async () => {
    const { out, lock } = place();
    await acquire(out);
    const before = readFileSync(lock, 'utf8');
    await vi.waitFor(() => expect(readFileSync(lock, 'utf8')).not.toBe(before), {
      timeout: 10_000,
    });
    const after = readFileSync(lock, 'utf8');
    expect(after).toHaveLength(before.length);
    expect({ ...holderIn(lock), counter: '' }).toEqual({ ...JSON.parse(before), counter: '' });
  });

  test('is waited for no longer than the caller wants', async () => {
    const { out, lock } = place();
    writeFileSync(lock, foreign());
    const stop = new AbortController();
    const acquired = acquire(out, {
      signal: stop.signal,
      patienceMs: 3_600_000,
      onWaiting: () => void delay(20).then(() => stop.abort()),
    });
    await expect(acquired).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(readFileSync(lock, 'utf8')).toBe(foreign());
  });
});
