/** `tillroll-server backup` that is interrupted or has nowhere to write leaves nothing half-done. */

import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makePlace, type Place } from './place.ts';
import { BIN, command } from './process.ts';
import { until } from './until.ts';

let place: Place;
let directory: string;

beforeEach(async () => {
  place = await makePlace();
  directory = await mkdtemp(join(tmpdir(), 'tillroll-backup-'));
});

afterEach(async () => {
  await place.remove();
  await rm(directory, { recursive: true, force: true });
});

test('Ctrl-C ends a backup at once, and leaves nothing', async () => {
  const holder = await place.pool.connect();
  try {
    await holder.query('BEGIN; LOCK TABLE tillroll.payments IN ACCESS EXCLUSIVE MODE');
    await writeFile(join(directory, 'b'), 'earlier');
    const child = spawn(process.execPath, [BIN, 'backup', join(directory, 'b')], {
      env: { PATH: process.env['PATH'], ...place.environment() },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    const exited = new Promise<number | null>((resolve) => {
      child.once('close', resolve);
    });
    await until('it has begun', async () => (await readdir(directory)).length === 2);
    const asked = performance.now();
    child.kill('SIGINT');
    expect(await exited).toBe(130);
    expect(performance.now() - asked).toBeLessThan(10_000);
    expect(err).toBe('tillroll-server: interrupted; nothing was left half-done\n');
    expect(await readdir(directory)).toEqual(['b']);
    expect(await readFile(join(directory, 'b'), 'utf8')).toBe('earlier');
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
});

test('a file that cannot be written is named, and nothing is left', async () => {
  const missing = join(directory, 'none', 'b');
  await expect(command(['backup', missing], place.environment())).rejects.toThrow(/: 1: .*ENOENT/);
  await expect(command(['backup', directory], place.environment())).rejects.toThrow(
    /: 2: .* is a directory: name a file/,
  );
  await expect(command(['restore', missing], place.environment())).rejects.toThrow(/: 1: .*ENOENT/);
  expect(await readdir(directory)).toEqual([]);
});
