import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { findCluster } from '../../../postgres/src/cluster.ts';
import { childOptions, run } from '../../../postgres/src/run.ts';
import { findFreePort } from '../../../../scripts/free-port.ts';
import { until } from './until.ts';

const execute = promisify(execFile);

export const ADMIN = 'admin';

/** A PostgreSQL of a test's own on 127.0.0.1, with its own settings, that can be stopped and killed. */
export interface Node {
  readonly port: number;
  /** Its directory; the account that runs it may read what is put here through `put`. */
  readonly directory: string;
  url(database: string, user?: string): string;
  /** Runs statements as the administrator. */
  administer(statement: string, database?: string): Promise<pg.QueryResult>;
  put(name: string, content: string | Buffer): Promise<string>;
  start(): Promise<void>;
  stop(signal?: 'SIGINT' | 'SIGQUIT' | 'SIGKILL'): Promise<void>;
  /** Sends a signal to the postmaster and all of its children. */
  signalAll(signal: NodeJS.Signals): Promise<void>;
  /** A cold copy of its data as a standby of it; both are running afterwards. */
  standby(): Promise<Node>;
  remove(): Promise<void>;
}

export interface NodeOptions {
  settings?: Record<string, string>;
  /** Lines of pg_hba.conf. */
  access?: string[];
}

const TRUST = ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust'];

export async function makeNode(options: NodeOptions = {}): Promise<Node> {
  return createNode(options, null);
}

async function createNode(options: NodeOptions, primary: { data: string } | null): Promise<Node> {
  const directory = await mkdtemp(join(tmpdir(), 'tillroll-node-'));
  await chmod(directory, 0o755);
  const { account, binaries } = await findCluster(directory);
  const data = join(directory, 'node');
  const own = (path: string): Promise<void> =>
    account.drop ? chown(path, account.uid, account.gid) : Promise.resolve();
  if (primary) {
    await execute('cp', ['-a', primary.data, data]);
    await rm(join(data, 'postmaster.pid'), { force: true });
  } else {
    await execute('mkdir', ['-m', '700', data]);
    await own(data);
    const args = ['-D', data, '-U', ADMIN, '-E', 'UTF8', '--locale=C', '-A', 'trust', '-N'];
    await run(join(binaries, 'bin', 'initdb'), args, { account });
    await writeFile(join(data, 'pg_hba.conf'), `${(options.access ?? TRUST).join('\n')}\n`);
  }
  const port = await findFreePort();
  let child: ChildProcess | null = null;
  let log = '';

  const node: Node = {
    port,
    directory,
    url: (database, user = ADMIN) => `postgres://${user}@127.0.0.1:${port}/${database}`,
    async administer(statement, database = 'postgres') {
      const client = new pg.Client({ host: '127.0.0.1', port, user: ADMIN, database, ssl: false });
      client.on('error', () => undefined);
      await client.connect();
      try {
        return await client.query(statement);
      } finally {
        await client.end();
      }
    },
    async put(name, content) {
      const path = join(directory, name);
      await writeFile(path, content, { mode: 0o600 });
      await own(path);
      return path;
    },
    async start() {
      const settings = {
        listen_addresses: '127.0.0.1',
        port: String(port),
        unix_socket_directories: '',
        fsync: 'off',
        max_connections: '60',
        shared_buffers: '32MB',
        ...options.settings,
      };
      const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
      child = spawn(join(binaries, 'bin', 'postgres'), ['-D', data, ...args], {
        ...childOptions(account),
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      child.stderr
        ?.setEncoding('utf8')
        .on('data', (text: string) => (log = (log + text).slice(-8192)));
      await until('the node answers', async () => {
        if (child?.exitCode !== null) throw new Error(log);
        return node.administer('SELECT 1').catch(() => false);
      });
    },
    async stop(signal = 'SIGINT') {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      if (signal === 'SIGKILL') await node.signalAll('SIGKILL');
      else child.kill(signal);
      await exited;
    },
    async signalAll(signal) {
      const { pid } = child ?? {};
      if (pid === undefined) return;
      // The postmaster first: it starts no more of them.
      process.kill(pid, signal);
      const { stdout } = await execute('pgrep', ['-P', String(pid)]).catch(() => ({ stdout: '' }));
      for (const line of stdout.trim().split('\n').filter(Boolean)) {
        try {
          process.kill(Number(line), signal);
        } catch {
          // It has ended meanwhile.
        }
      }
    },
    async standby() {
      await node.stop();
      const standby = await createNode(options, { data });
      await node.start();
      const target = join(standby.directory, 'node');
      await cp(join(target, 'postgresql.conf'), join(target, 'postgresql.conf.bak'));
      await execute('sh', [
        '-c',
        `echo "primary_conninfo = 'host=127.0.0.1 port=${port} user=${ADMIN}'" >> "$1/postgresql.conf" && touch "$1/standby.signal" && chown --reference="$1/postgresql.conf" "$1/standby.signal"`,
        'sh',
        target,
      ]);
      await standby.start();
      return standby;
    },
    async remove() {
      if (child && child.exitCode === null && child.signalCode === null) {
        await node.signalAll('SIGCONT');
        await node.stop('SIGKILL');
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
  return node;
}

/** A TCP address whose new connections lead where it says now; those that exist stay where they are. */
export interface Switch {
  readonly port: number;
  target: number;
  close(): Promise<void>;
}

export async function makeSwitch(target: number): Promise<Switch> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((inbound) => {
    const outbound = connect(self.target, '127.0.0.1');
    for (const [one, other] of [
      [inbound, outbound],
      [outbound, inbound],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const self: Switch = {
    port: (server.address() as AddressInfo).port,
    target,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return self;
}
