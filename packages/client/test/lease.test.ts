import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Waiting } from '../src/http/retry.ts';
import { acquire, contend, foreign, holderIn, MODULE, place } from './lease-scene.ts';

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
    // The lease stays lost, because another process may have worked meanwhile.
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
