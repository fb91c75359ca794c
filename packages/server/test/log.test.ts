import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LineWriter } from '../src/log.ts';
import { canMount, mountSmall } from './small-disk.ts';

test.skipIf(!existsSync('/dev/full'))('a line that cannot be written stops nothing', () => {
  const full = openSync('/dev/full', 'w');
  try {
    const writer = new LineWriter(full);
    for (let n = 0; n < 1000; n++) writer.write('{"msg":"x"}\n');
  } finally {
    closeSync(full);
  }
});

test.skipIf(!canMount)('a log on a disk that was full says how much of it is missing', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tillroll-log-'));
  const unmount = mountSmall(directory);
  const path = join(directory, 'log');
  const log = openSync(path, 'a');
  try {
    const writer = new LineWriter(log);
    writer.write('{"msg":"before"}\n');
    const filler = join(directory, 'filler');
    await writeFile(filler, randomBytes(2 * 1024 * 1024)).catch(() => undefined);
    // Longer than what is left of its page: one is written in part, the others not at all.
    const long = `{"msg":"${'x'.repeat(5000)}"}\n`;
    for (let n = 0; n < 7; n++) writer.write(long);
    await rm(filler);
    writer.write('{"msg":"after"}\n');
    writer.write('{"msg":"later"}\n');
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    expect(lines[0]).toBe('{"msg":"before"}');
    const [lost, ...rest] = lines.slice(-3).map((line) => JSON.parse(line) as object);
    expect(lost).toMatchObject({ level: 'error', lines: 7, msg: expect.stringContaining('lost') });
    expect(rest).toEqual([{ msg: 'after' }, { msg: 'later' }]);
  } finally {
    closeSync(log);
    unmount();
    await rm(directory, { recursive: true });
  }
});
