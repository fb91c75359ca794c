import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DirectoryLock } from '../src/files/lock.ts';
import { temporary } from './output-directory.ts';

function directory(): { out: string; lock: string; own: string } {
  const out = temporary();
  const own = join(out, '.tillroll');
  mkdirSync(own);
  return { out, own, lock: join(own, 'lock') };
}

/** A process that takes the lock and holds it until its input ends. @returns what it said. */
async function holder(
  out: string,
): Promise<{ said: string; kill: () => Promise<void>; end: () => Promise<void>; pid: number }> {
  const program = `
    const { DirectoryLock } = await import(${JSON.stringify(new URL('../src/files/lock.ts', import.meta.url).href)});
    try {
      const lock = await DirectoryLock.take({ out: ${JSON.stringify(out)} });
      console.log('held');
      for await (const _ of process.stdin);
      lock[Symbol.dispose]();
    } catch (error) {
      console.log(error.code + ' ' + error.message);
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  onTestFinished(() => void child.kill('SIGKILL'));
  child.stdout.setEncoding('utf8');
  const [said] = (await once(child.stdout, 'data')) as [string];
  return {
    said: said.trim(),
    pid: child.pid ?? 0,
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
    end: async () => {
      child.stdin.end();
      await gone;
    },
  };
}

describe('the lock of a directory', () => {
  test('keeps a second process out until the first one ends, and says who it is', async () => {
    const { out, own } = directory();
    const first = await holder(out);
    expect(first.said).toBe('held');
    await expect(DirectoryLock.take({ out })).rejects.toMatchObject({
      code: 'LOCKED',
      message: `${out} is in use by process ${first.pid} on ${hostname()}`,
    });
    const second = await holder(out);
    expect(second.said).toBe(`LOCKED ${out} is in use by process ${first.pid} on ${hostname()}`);
    await first.end();
    expect(readdirSync(own)).toEqual([]);
    using _lock = await DirectoryLock.take({ out });
    expect(readdirSync(own)).toEqual(['lock']);
  });

  test('of a process that was killed is taken over', async () => {
    const { out, own, lock } = directory();
    const first = await holder(out);
    await first.kill();
    expect(existsSync(lock)).toBe(true);
    {
      using _lock = await DirectoryLock.take({ out });
      expect(JSON.parse(readFileSync(lock, 'utf8'))).toMatchObject({ pid: process.pid });
      expect(readdirSync(own)).toEqual(['lock']);
    }
    expect(readdirSync(own)).toEqual([]);
  });

  test('of a process whose number was given to another one is taken over', async () => {
    const { out, lock } = directory();
    writeFileSync(
      lock,
      JSON.stringify({ pid: process.pid, host: hostname(), started: '1', nonce: 'x' }),
    );
    using _lock = await DirectoryLock.take({ out });
  });

  test.each(['', '{', 'null', '[]', '{"pid":'])('that holds %j is nobody’s', async (text) => {
    const { out, lock, own } = directory();
    writeFileSync(lock, text);
    {
      using _lock = await DirectoryLock.take({ out });
      expect(JSON.parse(readFileSync(lock, 'utf8'))).toMatchObject({ pid: process.pid });
    }
    expect(readdirSync(own)).toEqual([]);
  });

  test('of another host is respected: nobody here knows whether it lives', async () => {
    const { out, lock } = directory();
    const theirs = JSON.stringify({
      pid: 2 ** 22 + 1,
      host: 'elsewhere',
      started: null,
      nonce: 'x',
    });
    writeFileSync(lock, theirs);
    await expect(DirectoryLock.take({ out })).rejects.toMatchObject({
      code: 'LOCKED',
      message: `${out} is in use by process 4194305 on elsewhere`,
      hint: expect.stringContaining('.tillroll/lock') as unknown,
    });
    expect(readFileSync(lock, 'utf8')).toBe(theirs);
  });

  test('is given to one of many that want it at once, also when a dead one’s lies there', async () => {
    for (let round = 0; round < 60; round++) {
      const { out, own, lock } = directory();
      if (round % 3 > 0)
        writeFileSync(
          lock,
          round % 3 === 1
            ? 'rubbish'
            : JSON.stringify({
                pid: 2 ** 22 + 1,
                host: hostname(),
                started: null,
                nonce: `dead${round}`,
              }),
        );
      // Some come later than others.
      const taken = await Promise.allSettled(
        Array.from({ length: 12 }, async (_, i) => {
          for (let turns = 0; turns < (i * 7 * round) % 31; turns++)
            await new Promise(setImmediate);
          return DirectoryLock.take({ out });
        }),
      );
      const held = taken.filter((result) => result.status === 'fulfilled');
      for (const result of taken)
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'LOCKED' });
      expect(held, `round ${round}`).toHaveLength(1);
      held[0]?.value[Symbol.dispose]();
      expect(readdirSync(own)).toEqual([]);
    }
  });

  test('is taken over also where one died in the midst of taking it over', async () => {
    const { out, own, lock } = directory();
    const dead = { pid: 2 ** 22 + 1, host: hostname(), started: null };
    writeFileSync(lock, JSON.stringify({ ...dead, nonce: 'a' }));
    writeFileSync(`${lock}.takeover`, JSON.stringify({ ...dead, nonce: 'b' }));
    using _lock = await DirectoryLock.take({ out });
    expect(readdirSync(own)).toEqual(['lock']);
  });

  test('that is not ours any more is left alone', async () => {
    const { out, lock } = directory();
    const mine = await DirectoryLock.take({ out });
    const theirs = JSON.stringify({ pid: 1, host: 'elsewhere', started: null, nonce: 'other' });
    writeFileSync(lock, theirs);
    mine[Symbol.dispose]();
    expect(readFileSync(lock, 'utf8')).toBe(theirs);
  });
});
