import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import { chooseAccount } from '../../../postgres/src/account.ts';
import { childOptions } from '../../../postgres/src/run.ts';
import { findFreePort } from '../../../../scripts/free-port.ts';
import { until } from './until.ts';

const PROGRAM = 'pgbouncer';

/** Debian puts it where an ordinary user's PATH does not look. */
const PATH = `${process.env['PATH']}:/usr/sbin`;

export const hasPooler = spawnSync(PROGRAM, ['--version'], { env: { PATH } }).status === 0;

/** The server that a pooler connects to. */
export interface PooledServer {
  host: string;
  port: number;
  user: string;
  password: string;
}

/** A PgBouncer in transaction mode before a PostgreSQL. */
export interface Pooler {
  /** The same database, through the pooler. */
  through(databaseUrl: string): string;
  close(): Promise<void>;
}

/** @param server the one behind it; by default the run's. */
export async function startPooler(server?: PooledServer): Promise<Pooler> {
  const account = await chooseAccount();
  const { host, port: serverPort, user, password } = server ?? inject('cluster');
  const directory = await mkdtemp(join(tmpdir(), 'tillroll-pooler-'));
  await chmod(directory, 0o755);
  const port = await findFreePort();
  const users = join(directory, 'users.txt');
  const configuration = join(directory, 'pgbouncer.ini');
  await writeFile(users, `"${user}" "${password}"\n`, { mode: 0o600 });
  await writeFile(
    configuration,
    `[databases]
* = host=${host} port=${serverPort} user=${user} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
auth_file = ${users}
pool_mode = transaction
default_pool_size = 8
max_client_conn = 200
`,
  );
  if (account.drop) {
    for (const path of [users, configuration]) await chown(path, account.uid, account.gid);
  }
  const child = spawn(PROGRAM, [configuration], {
    ...childOptions(account),
    env: { PATH },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  await until('the pooler answers', async () => {
    if (child.exitCode !== null) throw new Error(log);
    const client = new pg.Client({ host: '127.0.0.1', port, user, database: 'postgres' });
    client.on('error', () => undefined);
    return client.connect().then(
      () => client.end().then(() => true),
      () => false,
    );
  });
  return {
    through(databaseUrl) {
      const { pathname } = new URL(databaseUrl.replace('@/', '@localhost/'));
      return `postgres://${user}@127.0.0.1:${port}${pathname}`;
    },
    async close() {
      const hasEnded = child.exitCode !== null || child.signalCode !== null;
      if (!hasEnded) {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }
      await rm(directory, { recursive: true, force: true });
      if (hasEnded)
        throw new Error(`PgBouncer ended (${child.exitCode ?? child.signalCode}): ${log}`);
    },
  };
}
