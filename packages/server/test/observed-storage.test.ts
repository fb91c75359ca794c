import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DirectoryStorage } from '../src/storage/directory.ts';
import { fileKey } from '../src/storage/keys.ts';
import { ObservedStorage } from '../src/storage/observed.ts';
import type { StoredAttempt } from '../src/storage/storage.ts';
import { storageContract } from './storage-contract.ts';

async function makeDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'tillroll-observed-'));
}

storageContract('a directory that is observed', async () => {
  const directory = await makeDirectory();
  return {
    storage: new ObservedStorage(new DirectoryStorage(directory), {
      storageCalled: () => undefined,
    }),
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
});

let directory: string;
let calls: string[];
let storage: ObservedStorage;

beforeEach(async () => {
  directory = await makeDirectory();
  calls = [];
  storage = new ObservedStorage(new DirectoryStorage(directory), {
    storageCalled(operation, result, ms) {
      expect(ms).toBeGreaterThanOrEqual(0);
      calls.push(`${operation} ${result}`);
    },
  });
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const KEY = fileKey('46W0PSXERJTCS', 1, 0);

test('each call is told once, with its result', async () => {
  const { signal } = new AbortController();
  await storage.createIdentity('id');
  await storage.write(KEY, Readable.from(['content']), signal);
  await storage.syncDirectories('46W0PSXERJTCS/1/');
  expect(await text(await storage.read(KEY))).toBe('content');
  await expect(storage.read(fileKey('46W0PSXERJTCS', 1, 1))).rejects.toThrow();
  const attempts: StoredAttempt[] = [];
  for await (const attempt of storage.listAttempts()) attempts.push(attempt);
  expect(attempts).toEqual([{ exportId: '46W0PSXERJTCS', attempt: 1 }]);
  await storage.removePrefix('46W0PSXERJTCS/1/');
  await storage.check();
  expect(calls).toEqual([
    'identity ok',
    'write ok',
    'sync ok',
    'read ok',
    'read missing',
    'list ok',
    'remove ok',
    'check ok',
  ]);
});

test('a write that is aborted is not an error of the store, one that fails is', async () => {
  const stop = new AbortController();
  const aborting = Readable.from(
    (async function* () {
      yield Buffer.from('begun');
      stop.abort(new Error('stopped'));
      yield Buffer.from('more');
    })(),
  );
  await expect(storage.write(KEY, aborting, stop.signal)).rejects.toThrow('stopped');
  const broken = Readable.from(
    (async function* () {
      yield Buffer.from('begun');
      throw new Error('broken');
    })(),
  );
  await expect(storage.write(KEY, broken, new AbortController().signal)).rejects.toThrow();
  expect(calls).toEqual(['write aborted', 'write error']);
});

test('a listing that is left early is told as well', async () => {
  const { signal } = new AbortController();
  await storage.write(KEY, Readable.from(['content']), signal);
  calls.length = 0;
  for await (const attempt of storage.listAttempts()) {
    expect(attempt.attempt).toBe(1);
    break;
  }
  expect(calls).toEqual(['list ok']);
});
