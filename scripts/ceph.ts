/**
 * Starts a real S3 server for tests: Ceph's RADOS Gateway over a one-disk cluster in memory, from Debian's
 * packages. `node scripts/ceph.ts` runs one until Ctrl-C and prints the settings that reach it.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { accessSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { findFreePort } from './free-port.ts';
import { createBucket, makeStorageUrl, type S3Server } from './s3.ts';

const execute = promisify(execFile);

/** The packages with all that is started here, for `apt-get install --no-install-recommends`. */
export const CEPH_PACKAGES = 'ceph-mon ceph-osd radosgw ceph-common';
const PROGRAMS = ['ceph', 'ceph-authtool', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw'];
const COMMAND_MS = 60_000;
const ANSWER_MS = 90_000;
const POLL_MS = 200;
const STOP_MS = 5_000;

/** A gateway that answers, with the bucket. */
export interface Ceph extends S3Server {
  /** Kills the gateway alone with SIGKILL; its objects stay. */
  killGateway(): Promise<void>;
  /** Starts the gateway again, on the same port. */
  startGateway(): Promise<void>;
}

/** Tells whether Ceph's programs are installed. */
export function hasCeph(): boolean {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  return PROGRAMS.every((program) =>
    directories.some((directory) => {
      try {
        accessSync(join(directory, program));
        return true;
      } catch {
        return false;
      }
    }),
  );
}

/** Starts a monitor, a disk in memory and a gateway with one user. Takes about 15 s. */
export async function startCeph(): Promise<Ceph> {
  const directory = await mkdtemp(join(tmpdir(), 'tillroll-ceph-'));
  const children: ChildProcess[] = [];
  const run = (program: string, ...args: string[]): Promise<unknown> =>
    execute(program, args, { cwd: directory, timeout: COMMAND_MS });
  const start = (program: string, ...args: string[]): ChildProcess => {
    // In the foreground and without a shell: a daemon would outlive a test that is killed.
    const child = spawn(program, ['-f', ...args], { cwd: directory, stdio: 'ignore' });
    children.push(child);
    return child;
  };
  const stop = async (): Promise<void> => {
    for (const child of children.toReversed()) await end(child);
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  };
  const [monitor, port] = [await findFreePort(), await findFreePort()];
  const endpoint = `http://127.0.0.1:${port}`;
  const configuration = join(directory, 'ceph.conf');
  const conf = ['-c', configuration];
  const gateway = [...conf, '-n', 'client.rgw'];
  try {
    const id = randomUUID();
    for (const name of ['mon', 'osd', 'rgw', 'run']) await mkdir(join(directory, name));
    await writeFile(configuration, makeConfiguration(directory, id, monitor, port));
    await run(
      'ceph-authtool',
      '--create-keyring',
      'keyring',
      '--gen-key',
      '-n',
      'mon.',
      '--cap',
      'mon',
      'allow *',
    );
    const caps = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *'];
    for (const name of ['client.admin', 'client.rgw', 'osd.0'])
      await run('ceph-authtool', 'keyring', '--gen-key', '-n', name, ...caps);
    const address = `[v2:127.0.0.1:${monitor}]`;
    await run(
      'monmaptool',
      '--create',
      '--clobber',
      '--fsid',
      id,
      '--addv',
      'a',
      address,
      'monmap',
    );
    await run(
      'ceph-mon',
      ...conf,
      '--mkfs',
      '-i',
      'a',
      '--monmap',
      'monmap',
      '--keyring',
      'keyring',
    );
    start('ceph-mon', ...conf, '-i', 'a');
    const disk = randomUUID();
    await run('ceph', ...conf, '--connect-timeout', '30', 'osd', 'new', disk);
    await run('ceph-osd', ...conf, '-i', '0', '--mkfs', '--osd-uuid', disk);
    await run(
      'ceph',
      ...conf,
      'osd',
      'crush',
      'add',
      'osd.0',
      '1.0',
      'host=localhost',
      'root=default',
    );
    start('ceph-osd', ...conf, '-i', '0');
    const keys = { accessKeyId: 'tillroll', secretAccessKey: randomUUID() };
    let running = start('radosgw', ...gateway);
    await waitForAnswer(endpoint, running);
    const user = ['--uid=tillroll', '--display-name=tillroll'];
    await run(
      'radosgw-admin',
      ...gateway,
      'user',
      'create',
      ...user,
      `--access-key=${keys.accessKeyId}`,
      `--secret-key=${keys.secretAccessKey}`,
    );
    await createBucket({ endpoint, ...keys });
    return {
      endpoint,
      ...keys,
      async killGateway() {
        await end(running, 'SIGKILL');
      },
      async startGateway() {
        running = start('radosgw', ...gateway);
        await waitForAnswer(endpoint, running);
      },
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function makeConfiguration(directory: string, id: string, monitor: number, port: number): string {
  return `[global]
fsid = ${id}
mon host = [v2:127.0.0.1:${monitor}]
mon initial members = a
public addr = 127.0.0.1
ms bind msgr1 = false
run dir = ${directory}/run
keyring = ${directory}/keyring
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 2
mon max pg per osd = 1000
osd objectstore = memstore
memstore device bytes = 4294967296
log file = ${directory}/$name.log
admin socket = ${directory}/run/$name.asok
mon data = ${directory}/mon
osd data = ${directory}/osd
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${port}
rgw data = ${directory}/rgw
`;
}

async function waitForAnswer(endpoint: string, gateway: ChildProcess): Promise<void> {
  const until = performance.now() + ANSWER_MS;
  for (;;) {
    const answer = await fetch(endpoint, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
    await answer?.body?.cancel();
    if (answer) return;
    if (gateway.exitCode !== null) throw new Error(`radosgw ended with ${gateway.exitCode}`);
    if (performance.now() > until) throw new Error(`${endpoint} did not answer within 90 s`);
    await delay(POLL_MS);
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await Promise.race([ended, delay(STOP_MS, undefined, { ref: false })]);
  child.kill('SIGKILL');
  await ended;
}

if (import.meta.main) {
  await using ceph = await startCeph();
  console.log(`AWS_ACCESS_KEY_ID=${ceph.accessKeyId}`);
  console.log(`AWS_SECRET_ACCESS_KEY=${ceph.secretAccessKey}`);
  console.log(`TILLROLL_STORAGE_URL=${makeStorageUrl(ceph, 'files')}`);
  await new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, resolve);
    setInterval(() => undefined, 60_000);
  });
  process.exitCode = 0;
}
