import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import { prepare, readAll, requests, servedBy } from './export-parts-scene.ts';
import { catchFailure } from './scene.ts';

describe('interrupted', () => {
  const slow = { slow: { on: 'file', bytesPerSecond: 20_000 } } as const;

  test('by the signal: nothing goes on behind its back, later it is resumed by Range', async () => {
    await using made = await prepare({ faults: slow, perFile: 45 });
    const abort = new AbortController();
    const arrived = Promise.withResolvers<void>();
    await using parts = await made.open({ signal: abort.signal, onBytes: () => arrived.resolve() });
    await arrived.promise;
    abort.abort();
    await catchFailure(parts.part(0), 'INTERRUPTED');
    await parts[Symbol.asyncDispose]();
    expect((await readdir(made.folder)).toSorted()).toEqual([
      '0000.part',
      '0000.part.json',
      'manifest.json',
    ]);
    const { size } = await stat(join(made.folder, '0000.part'));
    expect(size).toBeGreaterThan(0);
    made.scene.fake.set({});
    await using again = await made.open();
    expect(await readAll(again)).toEqual(servedBy(made));
    expect(requests(made).at(-1)).toMatchObject({ status: 206, range: `bytes=${size}-` });
    expect(requests(made)).toHaveLength(2);
  });

  test.each([
    ['longer than the file', async (path: string) => writeFile(path, Buffer.alloc(100_000))],
    ['without its sidecar', async (path: string) => rm(`${path}.json`)],
    [
      'with a sidecar that is none',
      async (path: string) => writeFile(`${path}.json`, '{"etag":7}'),
    ],
    [
      'of another file',
      async (path: string) =>
        writeFile(`${path}.json`, '{"etag":"\\"x\\"","encoding":"gzip","length":null}'),
    ],
  ])('a temporary file %s: begun again', async (_name, change) => {
    await using made = await prepare({ faults: slow, perFile: 45 });
    const arrived = Promise.withResolvers<void>();
    {
      await using parts = await made.open({ onBytes: () => arrived.resolve() });
      await Promise.race([arrived.promise, parts.part(0)]);
    }
    made.scene.fake.set({});
    await change(join(made.folder, '0000.part'));
    await using again = await made.open();
    expect(await readAll(again)).toEqual(servedBy(made));
  });

  test('by SIGKILL: what is there is used, the rest is resumed', { timeout: 60_000 }, async () => {
    const faults = { slow: { on: 'file', position: 3, bytesPerSecond: 10_000 } } as const;
    await using made = await prepare({ faults, orders: 200, perFile: 50 });
    const { url, merchant, token } = made.scene.fake;
    const script = join(import.meta.dirname, 'parts-process.ts');
    const order = JSON.stringify({
      client: { url, merchant, token },
      exportId: made.exportId,
      folder: made.folder,
    });
    const child = spawn(process.execPath, [script, order], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    for await (const line of createInterface({ input: child.stdout })) if (line === 'part 2') break;
    const slow = join(made.folder, '0003.part');
    await vi.waitFor(async () => expect((await stat(slow)).size).toBeGreaterThan(0), 10_000);
    child.kill('SIGKILL');
    expect((await exited)[1]).toBe('SIGKILL');
    const { size } = await stat(slow);
    made.scene.fake.set({});
    const asked = requests(made).length;
    await using parts = await made.open();
    expect(await readAll(parts)).toEqual(servedBy(made));
    expect(requests(made).slice(asked)).toMatchObject([
      { position: 3, status: 206, range: `bytes=${size}-` },
    ]);
  });

  test('a process ends by itself when its parts are there', async () => {
    await using made = await prepare();
    const { url, merchant, token } = made.scene.fake;
    const script = join(import.meta.dirname, 'parts-process.ts');
    const order = JSON.stringify({
      client: { url, merchant, token },
      exportId: made.exportId,
      folder: made.folder,
    });
    const began = performance.now();
    const { stdout } = await promisify(execFile)(process.execPath, [script, order]);
    expect(stdout.trim().split('\n')).toHaveLength(5);
    // Connections that are kept do not keep the process.
    expect(performance.now() - began).toBeLessThan(3500);
  });
});
