import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Holder } from '../src/directory/holder.ts';
import { Lease } from '../src/directory/lease.ts';
import type { Waiting } from '../src/http/retry.ts';
import { acquire, contend, FAST, foreign, holderIn, place } from './lease-scene.ts';

describe('the lease', () => {
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
});
