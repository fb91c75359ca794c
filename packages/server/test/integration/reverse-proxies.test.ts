/** The configurations of deploy/ for nginx and Caddy, run as they are but for names, ports and certificates. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request, type Dispatcher } from 'undici';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { findFreePort } from '../../../../scripts/free-port.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { endChildren, startChild } from './process.ts';
import { until } from './until.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const DEPLOY = join(import.meta.dirname, '../../../../deploy');

interface Addresses {
  directory: string;
  /** The port of the proxy. */
  port: number;
  /** Host and port of the service. */
  service: string;
}

interface ProxyKind {
  name: string;
  /** Writes its configuration. @returns the command that runs it in the foreground. */
  configure(addresses: Addresses): Promise<string[]>;
}

const nginx: ProxyKind = {
  name: 'nginx',
  async configure({ directory, port, service }) {
    const own = await readFile(join(DEPLOY, 'nginx.conf'), 'utf8');
    const server = own
      .replace('127.0.0.1:8080', service)
      .replace('443 ssl', `127.0.0.1:${port} ssl`)
      .replace('/etc/ssl/exports.example.com.pem', join(directory, 'proxy.crt'))
      .replace('/etc/ssl/exports.example.com.key', join(directory, 'proxy.key'));
    const main = `daemon off; pid ${directory}/nginx.pid; error_log ${directory}/error.log;
      events {} http { access_log off; ${temporaryPaths(directory)} ${server} }`;
    await writeFile(join(directory, 'main.conf'), main);
    return ['nginx', '-p', directory, '-e', join(directory, 'error.log'), '-c', 'main.conf'];
  },
};

function temporaryPaths(directory: string): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return kinds.map((kind) => `${kind}_temp_path ${directory}/${kind};`).join(' ');
}

const caddy: ProxyKind = {
  name: 'caddy',
  async configure({ directory, port, service }) {
    const own = await readFile(join(DEPLOY, 'Caddyfile'), 'utf8');
    const certificate = `tls ${directory}/proxy.crt ${directory}/proxy.key`;
    const site = own
      .replace('exports.example.com {', `https://localhost:${port} {\n\t${certificate}`)
      .replace('127.0.0.1:8080', service);
    const options = '{\n\tadmin off\n\tauto_https disable_redirects\n}\n';
    await writeFile(join(directory, 'Caddyfile'), options + site);
    return ['caddy', 'run', '--config', join(directory, 'Caddyfile'), '--adapter', 'caddyfile'];
  },
};

describe.each([nginx, caddy])('$name in front', (kind) => {
  const isInstalled = spawnSync(kind.name, ['-v']).error === undefined;
  let place: Place;
  let directory: string;
  let proxy: ChildProcess | null = null;
  let agent: Agent;

  beforeEach(async () => {
    place = await makePlace();
    directory = await mkdtemp(join(tmpdir(), 'tillroll-proxy-'));
  });

  afterEach(async () => {
    await agent?.close();
    if (proxy && proxy.exitCode === null) {
      const exited = once(proxy, 'exit');
      proxy.kill('SIGTERM');
      await exited;
    }
    await endChildren();
    await rm(directory, { recursive: true, force: true });
    await place.remove();
  });

  /** Starts both. @returns a way to ask through the proxy, and the service's log. */
  async function start() {
    const [port, servicePort] = [await findFreePort(), await findFreePort()];
    const base = `https://localhost:${port}`;
    execFileSync(
      'openssl',
      `req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout proxy.key -out proxy.crt`.split(
        ' ',
      ),
      { cwd: directory, stdio: 'ignore' },
    );
    agent = new Agent({ connect: { ca: await readFile(join(directory, 'proxy.crt')) } });
    const service = await startChild('serve', {
      ...place.environment(),
      PORT: String(servicePort),
      TILLROLL_PUBLIC_URL: base,
      TILLROLL_TRUSTED_PROXIES: '127.0.0.1',
    });
    await startChild('work', place.environment());
    const [program = '', ...args] = await kind.configure({
      directory,
      port,
      service: `127.0.0.1:${servicePort}`,
    });
    proxy = spawn(program, args, { stdio: 'ignore', env: { ...process.env, HOME: directory } });
    const ask = (
      path: string,
      options: Omit<Dispatcher.RequestOptions, 'path' | 'method'> & { method?: 'POST' } = {},
    ) =>
      request(new URL(path, base), { method: 'GET', ...options, dispatcher: agent } as Parameters<
        typeof request
      >[1]);
    await until('the proxy leads to the service', async () => {
      const answer = await ask('/ready').catch(() => null);
      await answer?.body.dump();
      return answer?.statusCode === 200;
    });
    return { ask, service };
  }

  test.skipIf(!isInstalled)(
    'uploads and downloads pass as streams, and the log knows the client',
    async () => {
      const { ask, service } = await start();
      const token = await place.install('M1');
      const headers = { authorization: `Bearer ${token}` };
      // More than a proxy takes by default.
      const lines = Array.from({ length: 3000 }, (_, i) =>
        JSON.stringify({ id: `O${i}`, createdTime: FROM + i, note: 'x'.repeat(1000) }),
      );
      const loaded = await ask('/v3/merchants/M1/orders/bulk', {
        method: 'POST',
        headers: { ...headers, 'x-forwarded-for': '203.0.113.9' },
        body: lines.join('\n'),
      });
      expect(await loaded.body.json()).toMatchObject({ inserted: 3000 });
      const created = await ask('/v3/merchants/M1/exports', {
        method: 'POST',
        headers,
        body: JSON.stringify({ type: 'ORDERS', startTime: FROM, endTime: TO }),
      });
      const { id } = (await created.body.json()) as { id: string };
      const done = await until('the export is done', async () => {
        const answer = await ask(`/v3/merchants/M1/exports/${id}`, { headers });
        const exported = (await answer.body.json()) as {
          status: string;
          exportUrls?: { elements: { url: string }[] };
        };
        return exported.status === 'DONE' && exported;
      });
      const urls = done.exportUrls?.elements.map(({ url }) => url) ?? [];
      expect(urls).toHaveLength(3);
      let objects = 0;
      for (const url of urls) {
        const file = await request(url, { dispatcher: agent });
        expect(file.statusCode).toBe(200);
        objects += ((await file.body.json()) as { elements: unknown[] }).elements.length;
      }
      expect(objects).toBe(3000);
      // Addresses that a client claims for itself do not count.
      expect(service.log()).not.toContain('203.0.113.9');
    },
  );
});
