import { chmod, cp, lstat, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openEmbeddedPostgres, removeEmbeddedPostgres } from '../src/index.ts';
import { installedPackage, isRoot, listProcesses, query, stopOrphan } from './embedded-scene.ts';

// Every test makes a cluster, some under the load of all the others.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let base: string;

let dataDir: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'embedded-test-'));
  await chmod(base, 0o755);
  dataDir = join(base, 'data');
});

afterEach(async () => {
  await stopOrphan(dataDir);
  await removeEmbeddedPostgres(dataDir);
  await rm(base, { recursive: true, force: true });
});

describe('paths that PostgreSQL cannot use', () => {
  test('binaries that do not run where they are (no links, closed directory) are copied', async () => {
    const closed = join(base, 'closed');
    await mkdir(closed, { mode: 0o700 });
    const source = installedPackage();
    await cp(join(source, 'package.json'), join(closed, 'package.json'));
    await cp(join(source, 'native'), join(closed, 'native'), {
      recursive: true,
      filter: async (path) => !(await lstat(path)).isSymbolicLink(),
    });
    const native = join(closed, 'native');
    const [open, other] = await Promise.all([
      openEmbeddedPostgres({ dataDir, native }),
      openEmbeddedPostgres({ dataDir, native }),
    ]);
    expect(open.notice).toMatch(/programs were copied to .*bin-18/);
    expect(await query(open, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect((await readdir(open.home)).filter((name) => name.startsWith('new.'))).toEqual([]);
    await Promise.all([open[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]);
    expect(await listProcesses(open.home)).toEqual([]);
  });

  test.skipIf(!isRoot)(
    '[root only] a data directory below a closed one moves to /var/lib, and says so',
    async () => {
      await chmod(base, 0o700);
      const first = await openEmbeddedPostgres({ dataDir });
      expect(first.home).toMatch(/^\/var\/lib\/tillroll\/[0-9a-f]{16}$/);
      expect(first.notice).toContain(first.home);
      await query(first, 'CREATE TABLE kept AS SELECT 42 AS answer');
      await first[Symbol.asyncDispose]();

      // A directory that has since been opened up does not start empty.
      await chmod(base, 0o755);
      const second = await openEmbeddedPostgres({ dataDir });
      expect(await query(second, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
      await second[Symbol.asyncDispose]();
      expect(await listProcesses(first.home)).toEqual([]);
      await removeEmbeddedPostgres(dataDir);
      await expect(stat(first.home)).rejects.toThrow('ENOENT');
    },
  );
});
