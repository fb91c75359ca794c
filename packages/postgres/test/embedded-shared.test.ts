import { type ChildProcess, type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openEmbeddedPostgres, removeEmbeddedPostgres } from '../src/index.ts';
import { withStartLock } from '../src/start-lock.ts';
import {
  isRoot,
  listProcesses,
  MODULE,
  postmasterPid,
  query,
  stopOrphan,
} from './embedded-scene.ts';

// Every test makes a cluster, some under the load of all the others.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Runs a program as root in a container does: it may not look at the processes of other users. */
const CONFINED = ['setpriv', '--bounding-set=-sys_ptrace', '--inh-caps=-sys_ptrace'];

const canConfine = isRoot && spawnSync('setpriv', [...CONFINED.slice(1), 'true']).status === 0;

let base: string;

let dataDir: string;

const children: ChildProcess[] = [];

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'embedded-test-'));
  await chmod(base, 0o755);
  dataDir = join(base, 'data');
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await stopOrphan(dataDir);
  await removeEmbeddedPostgres(dataDir);
  await rm(base, { recursive: true, force: true });
});

describe('several processes', () => {
  test('two that start at once share one PostgreSQL, and the last one to end stops it', async () => {
    const [one, two] = await Promise.all([openInChild(), openInChild()]);
    expect(one.host).toBe(two.host);
    const home = join(dataDir, 'postgres');
    const pid = await postmasterPid(home);
    await one.leave();
    expect(await postmasterPid(home)).toBe(pid);
    const three = await openEmbeddedPostgres({ dataDir });
    await two.leave();
    expect(await query(three, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await postmasterPid(home)).toBe(pid);
    await three[Symbol.asyncDispose]();
    expect(await listProcesses(home)).toEqual([]);
  });

  test('after SIGKILL the next one adopts the orphan and stops it when it leaves', async () => {
    const child = await openInChild();
    const home = join(dataDir, 'postgres');
    const pid = await postmasterPid(home);
    await child.kill();
    expect(await postmasterPid(home)).toBe(pid);
    const open = await openEmbeddedPostgres({ dataDir });
    expect(await query(open, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await postmasterPid(home)).toBe(pid);
    await expect(removeEmbeddedPostgres(dataDir)).rejects.toThrow(/is running/);
    await open[Symbol.asyncDispose]();
    expect(await listProcesses(home)).toEqual([]);
  });

  test('coming and going at the same time never fails', async () => {
    const visits = Array.from({ length: 4 }, async (_, visitor) => {
      for (let round = 0; round < 5; round++) {
        await using open = await openEmbeddedPostgres({ dataDir });
        expect(await query(open, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
        await delay((visitor * 7 + round * 13) % 30);
      }
    });
    await Promise.all(visits);
    expect(await listProcesses(join(dataDir, 'postgres'))).toEqual([]);
  });

  test.runIf(canConfine)('[root only] root without CAP_SYS_PTRACE stops PostgreSQL', async () => {
    const child = await openInChild(CONFINED);
    const home = join(dataDir, 'postgres');
    expect(await listProcesses(home)).toHaveLength(1);
    await child.leave();
    expect(await listProcesses(home)).toEqual([]);
  });

  test('a process that asks for the start lock again while it has it keeps it', async () => {
    await mkdir(dataDir);
    const module = new URL('../src/start-lock.ts', import.meta.url).href;
    const holder = spawnScript(`
      const { withStartLock } = await import(${JSON.stringify(module)});
      const lock = (ms, work) =>
        withStartLock(${JSON.stringify(dataDir)}, AbortSignal.timeout(ms), work);
      await lock(60_000, async () => {
        await lock(100, () => undefined).catch(() => console.log('refused'));
        return new Promise((resolve) => setTimeout(resolve, 60_000));
      });`);
    await once(createInterface(holder.stdout), 'line');
    const waiting = withStartLock(dataDir, AbortSignal.timeout(500), async () => undefined);
    await expect(waiting).rejects.toThrow(/timeout/);
  });
});

interface Child {
  readonly host: string;
  leave(): Promise<void>;
  kill(): Promise<void>;
}

async function openInChild(command: readonly string[] = []): Promise<Child> {
  const script = `
    const { openEmbeddedPostgres } = await import(${JSON.stringify(MODULE)});
    const open = await openEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)} });
    console.log(open.connection.host);
    process.stdin.once('end', () => open[Symbol.asyncDispose]()).resume();`;
  const child = spawnScript(script, command);
  const exit = once(child, 'exit');
  const [host] = (await once(createInterface(child.stdout), 'line')) as [string];
  return {
    host,
    async leave() {
      child.stdin.end();
      expect(await exit).toEqual([0, null]);
    },
    async kill() {
      child.kill('SIGKILL');
      await exit;
    },
  };
}

function spawnScript(
  script: string,
  command: readonly string[] = [],
): ChildProcessByStdio<Writable, Readable, null> {
  const args = [...command, process.execPath, '--input-type=module', '-e', script];
  const child = spawn('env', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}
