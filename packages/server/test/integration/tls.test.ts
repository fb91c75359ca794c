import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { openDatabase } from '../../src/database/open.ts';
import { Api, download, parseIds } from './api.ts';
import { makeNode, type Node } from './node.ts';
import { FROM, TO } from './place.ts';
import { command, endChildren, startChild } from './process.ts';
import { until } from './until.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const ACCESS = [
  'hostssl all only_tls 127.0.0.1/32 trust',
  'hostnossl all only_plain 127.0.0.1/32 trust',
  'host all only_tls,only_plain 127.0.0.1/32 reject',
  'host all all 127.0.0.1/32 trust',
  'host all all ::1/128 trust',
];

describe.skipIf(!hasOpenssl)('sslmode, as libpq means it', () => {
  let certificates: string;
  let authority: string;
  let stranger: string;
  let encrypted: Node;
  let plain: Node;

  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: certificates, stdio: 'ignore' });
  };

  beforeAll(async () => {
    certificates = mkdtempSync(join(tmpdir(), 'tillroll-certificates-'));
    for (const name of ['authority', 'stranger']) {
      openssl(
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '2',
        '-subj',
        `/CN=${name}`,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.crt`,
      );
    }
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
      '-keyout',
      'server.key',
      '-out',
      'server.csr',
    );
    openssl(
      'x509',
      '-req',
      '-in',
      'server.csr',
      '-CA',
      'authority.crt',
      '-CAkey',
      'authority.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-copy_extensions',
      'copyall',
      '-out',
      'server.crt',
    );
    authority = join(certificates, 'authority.crt');
    stranger = join(certificates, 'stranger.crt');

    const settings: Record<string, string> = { ssl: 'on' };
    encrypted = await makeNode({ settings, access: ACCESS });
    settings['ssl_cert_file'] = await encrypted.put(
      'server.crt',
      readFileSync(join(certificates, 'server.crt')),
    );
    settings['ssl_key_file'] = await encrypted.put(
      'server.key',
      readFileSync(join(certificates, 'server.key')),
    );
    plain = await makeNode({ access: ACCESS });
    for (const node of [encrypted, plain]) {
      await node.start();
      await node.administer('CREATE ROLE only_tls LOGIN');
      await node.administer('CREATE ROLE only_plain LOGIN');
    }
  });

  afterEach(() => {
    vi.unstubAllEnvs();
    return endChildren();
  });

  afterAll(async () => {
    await encrypted.remove();
    await plain.remove();
    rmSync(certificates, { recursive: true, force: true });
  });

  /** Opens a database and says whether its connection is encrypted. */
  async function isEncrypted(node: Node, query: string, user = 'admin', host = '127.0.0.1') {
    const database = await openDatabase({
      databaseUrl: `postgres://${user}@${host}:${node.port}/postgres${query}`,
      dataDir: '/nowhere',
      poolSize: 1,
      onError: () => undefined,
      signal: new AbortController().signal,
    });
    try {
      const { rows } = await database.pool.query<{ ssl: boolean }>(
        'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
      );
      return rows[0]?.ssl;
    } finally {
      await database.close();
    }
  }

  const root = (file: () => string) => `&sslrootcert=${encodeURIComponent(file())}`;

  describe('a server that offers TLS, with a certificate of a private authority', () => {
    test.for([
      ['', true],
      ['?sslmode=disable', false],
      ['?sslmode=allow', false],
      ['?sslmode=prefer', true],
      ['?sslmode=require', true],
      ['?sslmode=require&uselibpqcompat=true', true],
    ] as const)('%s: connects, encrypted: %s', async ([query, expected]) => {
      expect(await isEncrypted(encrypted, query)).toBe(expected);
    });

    test('require with its authority verifies the authority, not the name', async () => {
      const query = `?sslmode=require${root(() => authority)}`;
      expect(await isEncrypted(encrypted, query)).toBe(true);
      await expect(
        isEncrypted(encrypted, `?sslmode=require${root(() => stranger)}`),
      ).rejects.toThrow(/cannot use postgres at 127\.0\.0\.1/);
    });

    test('verify-ca', async () => {
      const query = `?sslmode=verify-ca${root(() => authority)}`;
      expect(await isEncrypted(encrypted, query)).toBe(true);
      await expect(
        isEncrypted(encrypted, `?sslmode=verify-ca${root(() => stranger)}`),
      ).rejects.toThrow(/cannot use/);
      await expect(isEncrypted(encrypted, '?sslmode=verify-ca')).rejects.toThrow(
        /sslmode=verify-ca needs sslrootcert/,
      );
    });

    test('verify-full verifies the authority and the name', async () => {
      const query = `?sslmode=verify-full${root(() => authority)}`;
      expect(await isEncrypted(encrypted, query, 'admin', 'localhost')).toBe(true);
      await expect(isEncrypted(encrypted, query)).rejects.toThrow(/cannot use/);
      for (const other of ['?sslmode=verify-full', `?sslmode=verify-full${root(() => stranger)}`]) {
        await expect(isEncrypted(encrypted, other, 'admin', 'localhost')).rejects.toThrow(
          /cannot use/,
        );
      }
    });

    test('PGSSLMODE and PGSSLROOTCERT count where the address says nothing', async () => {
      vi.stubEnv('PGSSLMODE', 'disable');
      expect(await isEncrypted(encrypted, '')).toBe(false);
      expect(await isEncrypted(encrypted, '?sslmode=require')).toBe(true);
      vi.stubEnv('PGSSLMODE', 'verify-full');
      vi.stubEnv('PGSSLROOTCERT', authority);
      expect(await isEncrypted(encrypted, '', 'admin', 'localhost')).toBe(true);
      await expect(isEncrypted(encrypted, '')).rejects.toThrow(/cannot use/);
    });

    test('a role that may connect in one way only: prefer and allow find it', async () => {
      expect(await isEncrypted(encrypted, '?sslmode=allow', 'only_tls')).toBe(true);
      expect(await isEncrypted(encrypted, '?sslmode=prefer', 'only_plain')).toBe(false);
      await expect(isEncrypted(encrypted, '?sslmode=require', 'only_plain')).rejects.toThrow(
        /cannot use/,
      );
    });
  });

  test.for([
    ['', false],
    ['?sslmode=prefer', false],
    ['?sslmode=allow', false],
    ['?sslmode=disable', false],
  ] as const)('a server without TLS, %s: connects without', async ([query, expected]) => {
    expect(await isEncrypted(plain, query)).toBe(expected);
  });

  test.for(['require', 'verify-full'])('a server without TLS, %s: refused', async (mode) => {
    await expect(isEncrypted(plain, `?sslmode=${mode}`)).rejects.toThrow(/cannot use/);
  });

  test('a whole service over TLS: every session of it, exports, a canceled export, no warning', async () => {
    await encrypted.administer('CREATE DATABASE tills');
    const dataDir = await mkdtemp(join(tmpdir(), 'tillroll-tls-'));
    const environment = {
      DATABASE_URL: `postgres://admin@localhost:${encrypted.port}/tills?sslmode=verify-full${root(() => authority)}`,
      PORT: '0',
      TILLROLL_DATA_DIR: dataDir,
    };
    try {
      const service = await startChild('all', environment);
      const token = await command(
        ['install', '--merchant', 'M1', '--app', 'a', '--permissions', 'ORDERS_R'],
        environment,
      );
      const [from, to] = [new Date(FROM).toISOString(), new Date(TO).toISOString()];
      const seed = ['seed', '--merchant', 'M1', '--orders', '3000', '--from', from, '--to', to];
      await command(seed, environment);
      const api = new Api(service.url, 'M1', token);
      const done = await api.export(FROM, TO);
      expect(done.status).toBe('DONE');
      expect(new Set(parseIds(await download(done))).size).toBe(3000);

      const sessions = await encrypted.administer(
        `SELECT application_name AS name, ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
         WHERE datname = 'tills'`,
      );
      expect(new Set(sessions.rows.map(({ ssl }: { ssl: boolean }) => ssl))).toEqual(
        new Set([true]),
      );
      const names = sessions.rows.map(({ name }: { name: string }) => name);
      expect(new Set(names)).toEqual(new Set(['tillroll', 'tillroll queue', 'tillroll listener']));

      await encrypted.administer(`ALTER TABLE tillroll.orders RENAME TO orders_table`, 'tills');
      // Without the server's own look after its client, the cancel request alone ends it.
      await encrypted.administer(
        `CREATE VIEW tillroll.orders AS SELECT 'M1'::text AS merchant_id, 'a'::text AS id,
           ${FROM}::bigint AS created_time,
           CASE WHEN set_config('client_connection_check_interval', '0', true) = '0'
                 AND pg_sleep(3600) IS NOT NULL THEN '{}' END AS object`,
        'tills',
      );
      const { id } = await api.create(FROM, TO);
      const copies = async (): Promise<number> => {
        const { rowCount } = await encrypted.administer(
          `SELECT 1 FROM pg_stat_activity WHERE datname = 'tills' AND query LIKE 'COPY%' AND state = 'active'`,
        );
        return rowCount ?? 0;
      };
      await until('it reads', async () => (await copies()) === 1);
      service.kill('SIGTERM');
      expect(await service.exited).toBe(0);
      expect(await copies()).toBe(0);
      const { rows } = await encrypted.administer(
        `SELECT status FROM tillroll.exports WHERE id = '${id}'`,
        'tills',
      );
      expect(rows).toEqual([{ status: 'PENDING' }]);
      expect(service.log()).not.toMatch(/SECURITY WARNING|ExperimentalWarning|DeprecationWarning/);
      for (const line of service.log().trim().split('\n')) expect(line).toMatch(/^\{.*\}$/);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
