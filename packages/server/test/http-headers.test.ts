import { afterEach, describe, expect, test } from 'vitest';
import { listenApp, type ListeningApp } from './http-app.ts';
import { Raw } from './raw.ts';

const listening: ListeningApp[] = [];

async function listen(environment: Record<string, string> = {}): Promise<string> {
  const app = await listenApp({}, environment);
  listening.push(app);
  return app.url;
}

afterEach(async () => {
  await Promise.all(listening.splice(0).map(({ app }) => app.close()));
});

describe('the usual headers', () => {
  test.for(['/health', '/nowhere', '/openapi.json', '/v3/merchants/M1/exports', '/v3/files/x'])(
    'of %s: data, not to be kept, run or framed',
    async (path) => {
      const { headers } = await fetch((await listen()) + path);
      expect(Object.fromEntries(headers)).toMatchObject({
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none';frame-ancestors 'none'",
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
      });
      expect(headers.has('strict-transport-security')).toBe(false);
    },
  );

  test('https is insisted on only where clients use it', async () => {
    const https = await listen({ TILLROLL_PUBLIC_URL: 'https://exports.example.com' });
    expect((await fetch(`${https}/health`)).headers.get('strict-transport-security')).toMatch(
      /max-age=\d+/,
    );
    const http = await listen({ TILLROLL_PUBLIC_URL: 'http://exports.example.com' });
    expect((await fetch(`${http}/health`)).headers.has('strict-transport-security')).toBe(false);
  });
});

describe('/docs', () => {
  test('consists of what its policy allows: scripts of this address, none inline', async () => {
    const url = await listen();
    for (const path of ['/docs', '/docs/']) {
      const page = await fetch(url + path);
      const policy = page.headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self';");
      expect(policy).toContain("frame-ancestors 'none'");
      const html = await page.text();
      expect(html.match(/<script/g)).toHaveLength(3);
      expect(html.match(/<script src="[^"]+"[^>]*>\s*<\/script>/g)).toHaveLength(3);
      expect(html).not.toMatch(/\son\w+=|javascript:|<style|https?:\/\//);
      const parts = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part = '']) => part);
      expect(parts).toHaveLength(7);
      for (const part of [...parts, '/docs/json']) {
        const answer = await fetch(new URL(part, url + path));
        expect(answer.status, part).toBe(200);
        expect(answer.headers.get('content-type')).toMatch(/javascript|css|png|json/);
        expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(0);
      }
    }
  });

  test('the document is the same in both places; other parts do not exist', async () => {
    const url = await listen();
    const [document, copy] = await Promise.all(
      ['/openapi.json', '/docs/json'].map(async (path) => (await fetch(url + path)).text()),
    );
    expect(copy).toBe(document);
    for (const path of ['/docs/yaml', '/docs/static/nothing.js', '/docs/static/'])
      expect((await fetch(url + path)).status, path).toBe(404);
  });

  test('peers that leave without reading give back the places of all their answers', async () => {
    const url = await listen();
    const part = '/docs/static/swagger-ui-bundle.js';
    // The pages are made at the first request.
    await (await fetch(url + part)).arrayBuffer();
    for (let n = 0; n < 8; n++) {
      const raw = await Raw.open(url);
      raw.socket.pause();
      raw.send(`GET ${part} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(6));
      // Answered after those were begun.
      await fetch(`${url}/health`);
      await fetch(`${url}/health`);
      raw.socket.destroy();
    }
    expect((await fetch(url + part)).status).toBe(200);
  });
});
