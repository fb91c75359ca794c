import { once } from 'node:events';
import * as http from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import * as tls from 'node:tls';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ExportApi } from '../src/api/export-api.ts';
import type { ClientOptions } from '../src/api/call-options.ts';
import { ExportError } from '../src/errors.ts';
import { startFakeServer } from './fake-server/index.ts';
import { catchFailure, RETRY } from './scene.ts';

const VARIABLES = [
  'http_proxy',
  'HTTP_PROXY',
  'https_proxy',
  'HTTPS_PROXY',
  'no_proxy',
  'NO_PROXY',
];

/** Nothing of the machine's own, and what is given here. */
function useEnvironment(variables: Record<string, string>): void {
  for (const name of VARIABLES) vi.stubEnv(name, variables[name]);
}

afterEach(() => vi.unstubAllEnvs());

/** A real proxy: forwards http and tunnels https, always to one port of this machine. */
class Proxy implements AsyncDisposable {
  readonly seen: { line: string; authorization: string | undefined }[] = [];
  readonly #server: http.Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: number) {
    this.#server = http.createServer((request, response) => {
      const { method, url = '', headers } = request;
      this.seen.push({ line: `${method} ${url}`, authorization: headers['proxy-authorization'] });
      const { pathname, search } = new URL(url);
      const forwarded = http.request(
        { port: target, host: '127.0.0.1', method, path: pathname + search, headers },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
        },
      );
      request.pipe(forwarded);
    });
    this.#server.on('connect', (request, socket: Socket) => {
      this.seen.push({
        line: `CONNECT ${request.url}`,
        authorization: request.headers['proxy-authorization'],
      });
      const tunnel = connect(target, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        tunnel.pipe(socket).pipe(tunnel);
      });
      this.#sockets.add(tunnel);
      for (const end of [tunnel, socket]) end.on('error', () => socket.destroy());
    });
    this.#server.on('connection', (socket) => this.#sockets.add(socket));
  }

  static async begin(target: string): Promise<Proxy> {
    const proxy = new Proxy(Number(new URL(target).port));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

function connectApi(url: string, options: Partial<ClientOptions> = {}): ExportApi {
  const connection = { url, merchant: 'M1', token: 'fake-server-token' };
  return new ExportApi({ ...connection, retry: { ...RETRY, firstAttempts: 1 }, ...options });
}

describe('a proxy of the environment', () => {
  test('forwards http, with its own password, which stays there', async () => {
    await using fake = await startFakeServer();
    await using proxy = await Proxy.begin(fake.url);
    useEnvironment({ HTTP_PROXY: `http://user:p%40ss@${proxy.host}` });
    const { elements } = await connectApi('http://exports.test').list();
    expect(elements).toEqual([]);
    expect(proxy.seen).toEqual([
      {
        line: 'GET http://exports.test/v3/merchants/M1/exports',
        authorization: `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
      },
    ]);
  });

  test('tunnels https: it sees neither path nor token', async () => {
    await using fake = await startFakeServer({ https: true });
    await using proxy = await Proxy.begin(fake.url);
    const before = tls.getCACertificates('default');
    tls.setDefaultCACertificates([...before, fake.certificate ?? '']);
    try {
      useEnvironment({ https_proxy: `http://${proxy.host}`, HTTPS_PROXY: 'http://unused.test' });
      const api = connectApi('https://exports.test');
      expect((await api.list()).elements).toEqual([]);
      expect((await api.availability()).open).toBe(true);
      expect(proxy.seen).toEqual([{ line: 'CONNECT exports.test:443', authorization: undefined }]);
    } finally {
      tls.setDefaultCACertificates(before);
    }
  });

  test.each([
    ['this machine', '127.0.0.1', {}],
    ['this machine by its name', 'localhost', {}],
  ])('is not asked for %s', async (_name, host, more) => {
    await using fake = await startFakeServer();
    await using proxy = await Proxy.begin(fake.url);
    useEnvironment({ http_proxy: `http://${proxy.host}`, ...more });
    await connectApi(`http://${host}:${new URL(fake.url).port}`).list();
    expect(proxy.seen).toEqual([]);
  });

  test.each([
    ['NO_PROXY names the host', { NO_PROXY: 'other.test, .invalid' }, {}],
    ['the client wants none', {}, { proxy: 'none' }],
  ] as [string, Record<string, string>, Partial<ClientOptions>][])(
    'is not asked when %s',
    async (_name, variables, options) => {
      await using fake = await startFakeServer();
      await using proxy = await Proxy.begin(fake.url);
      useEnvironment({ HTTP_PROXY: `http://${proxy.host}`, ...variables });
      const error = await catchFailure(
        connectApi('http://exports.invalid', options).list(),
        'NETWORK',
      );
      expect(error.message).toMatch(/ENOTFOUND|EAI_AGAIN/);
      expect(proxy.seen).toEqual([]);
    },
  );

  test('for http is not used for https', async () => {
    await using fake = await startFakeServer();
    await using proxy = await Proxy.begin(fake.url);
    useEnvironment({ HTTP_PROXY: `http://${proxy.host}` });
    await catchFailure(connectApi('https://exports.invalid').list(), 'NETWORK');
    expect(proxy.seen).toEqual([]);
  });

  test('that cannot be reached is a fault of the network; the password is not told', async () => {
    useEnvironment({ HTTP_PROXY: 'http://user:hunter2@127.0.0.1:1' });
    const error = await catchFailure(connectApi('http://exports.test').list(), 'NETWORK');
    expect(error.message).toContain('ECONNREFUSED');
    expect(`${error.message}${error.hint}`).not.toContain('hunter2');
  });

  test.each([
    'user:hunter2@proxy',
    'ftp://user:hunter2@proxy',
    'hunter2',
    'http://a:%hunter2@proxy',
  ])('must not be %s, which is not shown', (address) => {
    useEnvironment({ HTTPS_PROXY: address });
    let error: unknown;
    try {
      connectApi('https://exports.test');
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ExportError);
    const { code, message, hint, cause } = error as ExportError;
    expect(code).toBe('USAGE');
    expect(message).toMatch(/^HTTPS_PROXY is not an address such as/);
    expect(`${message}${hint}${String(cause)}`).not.toContain('hunter2');
    expect(() => connectApi('https://exports.test', { proxy: 'none' })).not.toThrow();
  });

  test('an empty variable counts as absent', async () => {
    await using fake = await startFakeServer();
    await using proxy = await Proxy.begin(fake.url);
    useEnvironment({ http_proxy: '', HTTP_PROXY: `http://${proxy.host}` });
    await connectApi('http://exports.test').list();
    expect(proxy.seen).toHaveLength(1);
  });
});
