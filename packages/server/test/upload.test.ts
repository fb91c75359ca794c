import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { streamBody } from '../src/http/body.ts';
import { SpoolBudget } from '../src/ingest/budget.ts';
import { CheckThread } from '../src/ingest/check-thread.ts';
import { CheckThreads } from '../src/ingest/check-threads.ts';
import { BadBody, NoRoom, TooLarge } from '../src/ingest/errors.ts';
import type { IntakeTarget } from '../src/ingest/intake.ts';

const NEVER = new AbortController().signal;
const ignore = (): void => undefined;
const order = (id: string): string => `{"id":"${id}","createdTime":1767225600000}\n`;

async function* streamChunks(
  ...chunks: readonly (string | Promise<never>)[]
): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(await chunk);
}

describe('a thread that checks', () => {
  let directory: string;
  let file: FileHandle;
  let target: IntakeTarget;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tillroll-thread-'));
    file = await open(join(directory, 'spool'), 'w+');
    target = { content: 'ORDERS', now: Date.now(), encoding: 'identity', fd: file.fd };
  });
  afterEach(async () => {
    await file.close();
    await rm(directory, { recursive: true, force: true });
  });

  test('takes one upload after another, also behind one that it refused', async () => {
    const thread = new CheckThread();
    try {
      const once = (text: string) => thread.run(target, streamChunks(text), ignore, NEVER);
      expect(await once(order('A'))).toMatchObject({ rows: 1 });
      await expect(once('[1]')).rejects.toThrow(BadBody);
      await expect(once('x'.repeat(9_000_000))).rejects.toThrow(TooLarge);
      expect(thread.isUsable).toBe(true);
      const { rows, bytes } = await once(order('A') + order('B'));
      expect(rows).toBe(2);
      expect((await file.stat()).size).toBeGreaterThanOrEqual(bytes);
    } finally {
      await thread.close();
    }
  });

  test('a refusal ends an upload whose sender says nothing more', async () => {
    const thread = new CheckThread();
    try {
      const silent = new Promise<never>(ignore);
      await expect(
        thread.run(target, streamChunks('[1]\n', silent), ignore, NEVER),
      ).rejects.toThrow(BadBody);
      expect(thread.isUsable).toBe(true);
    } finally {
      await thread.close();
    }
  });

  test('reads no faster than it checks: chunks in flight are bounded', async () => {
    const stuck = new URL('data:text/javascript,setInterval(() => {}, 1000)');
    const thread = new CheckThread(stuck);
    let read = 0;
    const endless = (async function* () {
      for (;;) {
        read++;
        yield Buffer.alloc(1);
      }
    })();
    const stop = new AbortController();
    const running = thread.run(target, endless, ignore, stop.signal);
    await sleep(300);
    expect(read).toBe(16);
    stop.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    // It was at work: it may not touch the spool of anyone any more.
    expect(thread.isUsable).toBe(false);
  });

  test('a thread that runs out of memory ends its upload, and not the process', async () => {
    const source = `
      import { parentPort } from 'node:worker_threads';
      const kept = [];
      parentPort.on('message', () => { for (let i = 0; ; i++) kept.push({ a: i, b: [i] }); });`;
    const thread = new CheckThread(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
    const error: unknown = await thread
      .run(target, streamChunks(order('A')), ignore, NEVER)
      .catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(NoRoom);
    expect(error).toMatchObject({ cause: { code: 'ERR_WORKER_OUT_OF_MEMORY' } });
    expect(thread.isUsable).toBe(false);
  });

  test('what the file system says passes on with its code', async () => {
    const thread = new CheckThread();
    try {
      await expect(
        thread.run({ ...target, fd: 9_999 }, streamChunks(order('A')), ignore, NEVER),
      ).rejects.toMatchObject({ code: 'EBADF' });
    } finally {
      await thread.close();
    }
  });

  test('a body that fails fails the upload with the same error', async () => {
    const threads = new CheckThreads();
    try {
      const broken = Promise.reject<never>(new BadBody('broken'));
      broken.catch(ignore);
      await expect(
        threads.check(target, streamChunks(order('A'), broken), ignore, NEVER),
      ).rejects.toThrow('broken');
      expect(await threads.check(target, streamChunks(order('A')), ignore, NEVER)).toMatchObject({
        rows: 1,
      });
    } finally {
      await threads.close();
    }
  });
});

describe('the least rate of an upload', () => {
  const least = { bytesPerSecond: 10_000, windowMs: 200 };

  async function read(body: Readable, pauseMs = 0): Promise<number> {
    let bytes = 0;
    for await (const chunk of streamBody(body as IncomingMessage, least)) {
      bytes += chunk.length;
      await sleep(pauseMs);
    }
    return bytes;
  }

  async function* drops(count: number, bytes: number, everyMs: number): AsyncGenerator<Buffer> {
    for (let i = 0; i < count; i++) {
      yield Buffer.alloc(bytes);
      await sleep(everyMs);
    }
  }

  test('drop by drop is too slow, and so is silence', async () => {
    await expect(read(Readable.from(drops(100, 10, 20)))).rejects.toMatchObject({ status: 408 });
    await expect(read(Readable.from(drops(2, 10_000, 10_000)))).rejects.toMatchObject({
      status: 408,
    });
  });

  test('a short body may take its time within a window', async () => {
    expect(await read(Readable.from(drops(3, 10, 20)))).toBe(30);
  });

  test("the time in which nobody reads is not the sender's", async () => {
    expect(await read(Readable.from(drops(10, 10, 0)), 60)).toBe(100);
  });
});

describe('the budget of spools', () => {
  const budget = (): SpoolBudget => new SpoolBudget(100);

  test('one key has half of it, all of them have all of it, and what is released is free', () => {
    const all = budget();
    const [a, b, c] = [all.open('a'), all.open('b'), all.open('c')];
    a.grow(10);
    a.grow(50);
    expect(() => a.grow(51)).toThrow(TooLarge);
    a.grow(50);
    b.grow(45);
    expect(() => c.grow(6)).toThrow(NoRoom);
    c.release();
    expect(all.held).toBe(95);
    b.release();
    const more = all.open('a');
    expect(() => more.grow(1)).toThrow(/hold .* at once/);
    a.release();
    more.grow(50);
    more.release();
    expect(all.held).toBe(0);
  });
});
