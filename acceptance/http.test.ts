import { describe, expect, test } from 'vitest';
import { type ExportObject, json, main, nobody, choosePeriod, target } from './api.ts';
import { dropAfter, exact, overSocket } from './exact-requests.ts';
import { expectError, expectJsonObject } from './error-shapes.ts';

const START = choosePeriod(2004);

const allowed = (allow: string | null): string[] =>
  (allow ?? '').split(',').map((method) => method.trim().toUpperCase());

describe('unknown routes are 404, as a JSON object', () => {
  test.for([
    '/nope',
    '/v3',
    '/v3/',
    '/v3/merchants',
    '/v3/merchants/ACC',
    `/v3/merchants/${target.merchant}/orders`,
    `/v3/merchants/${target.merchant}/refunds/bulk`,
    `/v2/merchants/${target.merchant}/exports`,
    `/v3/merchants/${target.merchant}/exports/0000000000000/nope`,
    `/V3/merchants/${target.merchant}/exports`,
    '/.env',
    '/%00',
    '/..%2f..%2fetc%2fpasswd',
    '/../../etc/passwd',
    `/${'x'.repeat(5000)}`,
  ])('GET %s', async (path) => {
    expectError(await exact(target.url, path, { headers: main.auth }), 404);
    expectError(await exact(target.url, path), 404);
  });

  test('any method', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      expectError(await exact(target.url, '/nope', { method, body: '{' }), 404);
    }
  });
});

describe('another method is 405 with Allow, as a JSON object', () => {
  const one = `${main.path}/0000000000000`;
  test.for([
    ['PUT', main.path, ['GET', 'POST']],
    ['PATCH', main.path, ['GET', 'POST']],
    ['DELETE', main.path, ['GET', 'POST']],
    ['POST', one, ['GET']],
    ['PUT', one, ['GET']],
    ['PATCH', one, ['GET', 'DELETE']],
    ['GET', main.bulkPath('ORDERS'), ['POST']],
    ['DELETE', main.bulkPath('PAYMENTS'), ['POST']],
    ['POST', '/v3/availability', ['GET']],
    ['DELETE', '/health', ['GET']],
    ['POST', '/ready', ['GET']],
    ['PUT', '/openapi.json', ['GET']],
  ] as const)('%s %s', async ([method, path, methods]) => {
    for (const headers of [main.auth, {}]) {
      const answer = await exact(target.url, path, { method, headers });
      expectError(answer, 405);
      const allow = allowed(answer.headers.get('allow'));
      for (const name of methods) expect(allow).toContain(name);
      expect(allow).not.toContain(method);
    }
  });

  test('methods that nobody uses have a clear answer', async () => {
    for (const method of ['PROPFIND', 'TRACE', 'LOCK']) {
      const answer = await exact(target.url, main.path, { method, headers: main.auth });
      expect(answer.status).toBeOneOf([404, 405, 501]);
      expectJsonObject(answer);
    }
  });
});

describe('HEAD and OPTIONS are sensible', () => {
  test('HEAD answers as GET does, without a body', async () => {
    const { id } = await main.create('ORDERS', START, START + 1);
    await main.poll(id);
    for (const path of [
      `${main.path}/${id}`,
      `${main.path}?limit=1`,
      '/v3/availability',
      '/health',
      '/openapi.json',
    ]) {
      const get = await main.ask(path);
      const head = await exact(target.url, path, { method: 'HEAD', headers: main.auth });
      expect(head.status).toBe(get.status);
      expect(head.bytes).toHaveLength(0);
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
    }
  });

  test('HEAD keeps the statuses of errors, without a body', async () => {
    const head = (path: string, headers = {}) =>
      exact(target.url, path, { method: 'HEAD', headers });
    const answers = [
      [await head(`${main.path}/0000000000000`), 401],
      [await head(`${main.path}/0000000000000`, main.auth), 404],
      [await head('/nope'), 404],
      [await head(main.bulkPath('ORDERS'), main.auth), 405],
    ] as const;
    for (const [answer, status] of answers) {
      expect(answer.status).toBe(status);
      expect(answer.bytes).toHaveLength(0);
    }
  });

  test.for([
    [main.path, ['GET', 'POST']],
    [`${main.path}/0000000000000`, ['GET']],
    [main.bulkPath('ORDERS'), ['POST']],
    ['/v3/availability', ['GET']],
  ] as const)('OPTIONS %s says what is allowed, without a token', async ([path, methods]) => {
    const answer = await exact(target.url, path, { method: 'OPTIONS' });
    expect(answer.status).toBeOneOf([200, 204]);
    const allow = allowed(answer.headers.get('allow'));
    for (const method of methods) expect(allow).toContain(method);
  });

  test('OPTIONS of an unknown route is 404', async () => {
    const answer = await exact(target.url, '/nope', { method: 'OPTIONS' });
    expect(answer.status).toBe(404);
  });
});

describe('what is not good HTTP', () => {
  test.for([
    ['no HTTP at all', 'hello\r\n\r\n'],
    ['a broken request line', 'GET\r\n\r\n'],
    ['a broken header', 'GET / HTTP/1.1\r\nHost: x\r\nbroken header\r\n\r\n'],
    [
      'two lengths',
      `POST ${main.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx`,
    ],
    [
      'a length and chunks at once',
      `POST ${main.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      'a chunk without a size',
      `POST ${main.path}?access_token=${target.token} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`,
    ],
  ] as const)('%s is 400 in the error shape', async ([, bytes]) => {
    expectError(await overSocket(target.url, bytes), 400);
  });

  test('headers of 100 kB are 431 in the error shape', async () => {
    const answer = await overSocket(
      target.url,
      `GET ${main.path} HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(100_000)}\r\nConnection: close\r\n\r\n`,
    );
    expectError(answer, 431);
  });

  test('a body that stops half-way creates nothing, and the service stays healthy', async () => {
    const marker = START + 12_345;
    const body = JSON.stringify({ type: 'ORDERS', startTime: marker, endTime: marker + 1 });
    const head =
      `POST ${main.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${target.token}\r\n` +
      'Content-Type: application/json\r\n';
    // The whole JSON is there, but more was announced: it is not a request until that has come.
    for (const how of ['FIN', 'RST'] as const) {
      await dropAfter(
        target.url,
        Buffer.from(`${head}Content-Length: ${body.length + 50}\r\n\r\n${body}`),
        how,
      );
      await dropAfter(
        target.url,
        Buffer.from(
          `${head}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n`,
        ),
        how,
      );
      await dropAfter(target.url, Buffer.from(`${head}Content-Le`), how);
    }
    expect((await nobody.ask('/health')).status).toBe(200);
    const { elements } = json<{ elements: ExportObject[] }>(
      await main.ask(`${main.path}?limit=1000`),
    );
    expect(elements.filter((one) => one.startTime === marker)).toEqual([]);
  });

  test('a client that waits for 100 Continue is told to go on', async () => {
    const body = JSON.stringify({ type: 'ORDERS', startTime: START, endTime: START + 1 });
    const answer = await exact(target.url, main.path, {
      method: 'POST',
      headers: { ...main.auth, expect: '100-continue', 'content-length': String(body.length) },
      body,
    });
    expect(answer.status, answer.text).toBe(200);
  });
});

describe('the address in the URLs', () => {
  test('X-Forwarded-* is not believed', async () => {
    const created = await main.create('ORDERS', START, START + 1);
    await main.poll(created.id);
    const answer = await exact(target.url, `${main.path}/${created.id}`, {
      headers: {
        ...main.auth,
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'gopher',
        'x-forwarded-for': '203.0.113.9',
        forwarded: 'host=evil.example;proto=gopher',
      },
    });
    expect(answer.status).toBe(200);
    expect(answer.text).not.toMatch(/evil\.example|gopher/);
  });
});

describe('what the service says of itself', () => {
  test('/health and /ready answer 200 without a token', async () => {
    expect((await nobody.ask('/health')).status).toBe(200);
    expect((await nobody.ask('/ready')).status).toBe(200);
  });

  test('/openapi.json is OpenAPI 3.1 and knows the routes', async () => {
    const answer = await nobody.ask('/openapi.json');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^application\/(openapi\+)?json\b/);
    const document = json<{ openapi: string; paths: Record<string, Record<string, unknown>> }>(
      answer,
    );
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    const find = (pattern: RegExp): Record<string, unknown> =>
      Object.entries(document.paths).find(([path]) => pattern.test(path))?.[1] ?? {};
    expect(Object.keys(find(/^\/v3\/merchants\/\{\w+\}\/exports$/))).toEqual(
      expect.arrayContaining(['get', 'post']),
    );
    expect(Object.keys(find(/^\/v3\/merchants\/\{\w+\}\/exports\/\{\w+\}$/))).toContain('get');
    expect(Object.keys(find(/^\/v3\/merchants\/\{\w+\}\/orders\/bulk$/))).toContain('post');
    expect(Object.keys(find(/^\/v3\/availability$/))).toContain('get');
  });

  test('/docs is a page of HTML', async () => {
    const answer = await nobody.ask('/docs');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^text\/html\b/);
    expect(answer.text).toMatch(/<html[\s>]/i);
  });
});
