import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { makePlace, type Place } from './place.ts';
import { BIN, command, endChildren, startChild } from './process.ts';
import { until } from './until.ts';

let place: Place;
beforeEach(async () => {
  place = await makePlace();
});
afterEach(async () => {
  await endChildren();
  await place.remove();
});
afterAll(endChildren);

const WARNING = 'browsers and fetch() refuse';

test.each([
  [{ PORT: '6697' }, 6697],
  [{ TILLROLL_PUBLIC_URL: 'http://exports.example.com:10080' }, 10_080],
])('a port that browsers and fetch refuse is warned of at start: %j', async (more, port) => {
  const child = await startChild('serve', place.environment(more as Record<string, string>));
  const lines = child
    .log()
    .trim()
    .split('\n')
    .filter((line) => line.includes(WARNING));
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '{}')).toMatchObject({ level: 'warn', port });
});

test('of any other port nothing is said', async () => {
  const child = await startChild('serve', place.environment());
  expect(child.log()).not.toContain(WARNING);
});

describe('a database that cannot be reached', () => {
  /** The place's address through a port where nothing listens yet. */
  async function reservePort(): Promise<{ port: number; databaseUrl: string }> {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    server.close();
    await once(server, 'close');
    const url = new URL(place.databaseUrl.replace('@/', `@127.0.0.1:${port}/`));
    url.search = '';
    return { port, databaseUrl: url.href };
  }

  test.each(['serve', 'work', 'all'] as const)(
    '%s waits for it, and says so once',
    async (role) => {
      const { port, databaseUrl } = await reservePort();
      const environment = place.environment({ DATABASE_URL: databaseUrl });
      const { promise: waits, resolve } = Promise.withResolvers<void>();
      const onLog = (log: string): void => {
        if (log.includes('"waiting for the database"')) resolve();
      };
      const starting = startChild(role, environment, { onLog });
      await Promise.race([waits, starting]);
      // It says it once, however often it tries.
      await delay(1_000);
      const { host, port: targetPort } = inject('cluster');
      const proxy = net.createServer((near) => {
        const far = net.connect(`${host}/.s.PGSQL.${targetPort}`);
        near.on('error', () => far.destroy()).pipe(far);
        far.on('error', () => near.destroy()).pipe(near);
      });
      proxy.listen(port, '127.0.0.1');
      try {
        const child = await starting;
        expect(child.logged('waiting for the database')).toBe(1);
        expect(child.log()).toMatch(/"level":"warn".*ECONNREFUSED.*"waiting for the database"/);
        child.kill('SIGTERM');
        expect(await child.exited).toBe(0);
      } finally {
        proxy.close();
      }
    },
  );

  test.each(['serve', 'all'])('%s gives up after TILLROLL_WAIT, in one line', async (role) => {
    const { port, databaseUrl } = await reservePort();
    const environment = place.environment({
      DATABASE_URL: databaseUrl,
      TILLROLL_WAIT: '2s',
      TILLROLL_LOG_LEVEL: 'error',
    });
    await expect(command([role], environment)).rejects.toThrow(
      new RegExp(
        `^tillroll-server ${role}: 1: tillroll-server: cannot use t_[0-9a-f]+ at 127.0.0.1:${port} after 2 s \\(TILLROLL_WAIT\\): .*ECONNREFUSED.*\n$`,
      ),
    );
  });

  test('a signal ends the wait', async () => {
    const { databaseUrl } = await reservePort();
    const child = spawn(process.execPath, [BIN, 'serve'], {
      env: { ...process.env, ...place.environment({ DATABASE_URL: databaseUrl }) },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
    const exited = once(child, 'exit');
    await until('it waits', () => log.includes('waiting for the database'));
    child.kill('SIGTERM');
    expect(await exited).toEqual([130, null]);
  });
});

describe('what waiting cannot help fails at once', () => {
  const change = (edit: (url: string) => string): string => edit(place.databaseUrl);

  test('a wrong password', async () => {
    const wrong = change((url) => url.replace(/:[^:@/]+@/, ':wrong@'));
    await expectRefusal(wrong, /password authentication failed/);
  });

  test('a database that does not exist', async () => {
    const missing = change((url) => url.replace(/\/t_[0-9a-f]+\?/, '/t_missing?'));
    await expectRefusal(missing, /database "t_missing" does not exist/);
  });

  async function expectRefusal(databaseUrl: string, reason: RegExp): Promise<void> {
    const started = performance.now();
    const refused = command(['serve'], place.environment({ DATABASE_URL: databaseUrl }));
    await expect(refused).rejects.toThrow(reason);
    expect(performance.now() - started).toBeLessThan(20_000);
  }
});
