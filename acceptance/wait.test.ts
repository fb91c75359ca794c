/** ETags, waiting and progress of a read (wire contract, "More of read"). */
import { beforeAll, describe, expect, test } from 'vitest';
import { choosePeriod, json, line, main, nobody, type ExportObject } from './api.ts';
import { expectError, expectExportNotFound, expectUnauthorized } from './error-shapes.ts';
import type { Answer } from './exact-requests.ts';

const START = choosePeriod(1993);
const END = START + 10_000;

beforeAll(async () => {
  await main.load(
    'ORDERS',
    Array.from({ length: 1500 }, (_, i) => line(START + i)),
  );
});

function read(id: string, query = '', known?: string): Promise<Answer> {
  const headers = known === undefined ? {} : { 'if-none-match': known };
  return main.ask(`${main.path}/${id}${query}`, { headers });
}

function tagOf(answer: Answer): string {
  const tag = answer.headers.get('etag') ?? '';
  expect(tag).toMatch(/^W\/"[!#-~]+"$/);
  return tag;
}

describe('ETag', () => {
  test('is of the state, not of the URLs: 304 until something changes', async () => {
    const { export: done } = await main.export('ORDERS', START, END);
    const first = await read(done.id);
    const tag = tagOf(first);
    expect(tagOf(await read(done.id))).toBe(tag);
    const same = await read(done.id, '', tag);
    expect(same.status).toBe(304);
    expect(same.bytes).toHaveLength(0);
    expect(same.headers.get('etag')).toBe(tag);
    for (const known of ['*', `"x", ${tag}`, tag.slice(2)])
      expect((await read(done.id, '', known)).status).toBe(304);
    for (const known of ['"x"', 'nonsense', ''])
      expect((await read(done.id, '', known)).status).toBe(200);
    await main.ask(`${main.path}/${done.id}`, { method: 'DELETE' });
    const after = await read(done.id, '', tag);
    expect(after.status).toBe(200);
    expect(tagOf(after)).not.toBe(tag);
  });

  test('says nothing to who may not read', async () => {
    const { export: done } = await main.export('ORDERS', START, END);
    const answer = await nobody.ask(`${main.path}/${done.id}`, {
      headers: { 'if-none-match': '*' },
    });
    expectUnauthorized(answer);
    expect(answer.headers.get('etag')).toBeNull();
    expectExportNotFound(await read('0000000000000', '', '*'));
  });
});

describe('wait', () => {
  test('without If-None-Match: one request, answered once it is DONE', async () => {
    const { id } = await main.create('ORDERS', START, END);
    const answer = await read(id, '?wait=30');
    expect(answer.status, answer.text).toBe(200);
    expect(json<ExportObject>(answer).status).toBe('DONE');
  });

  test('of what has ended is a plain read', async () => {
    const { export: done } = await main.export('ORDERS', START, END);
    const began = performance.now();
    expect((await read(done.id, '?wait=60')).status).toBe(200);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test('with If-None-Match: 304 after that time when nothing changed', async () => {
    const { export: done } = await main.export('ORDERS', START, END);
    const tag = tagOf(await read(done.id));
    const began = performance.now();
    expect((await read(done.id, '?wait=1', tag)).status).toBe(304);
    expect(performance.now() - began).toBeGreaterThan(900);
    expect((await read(done.id, '?wait=0', tag)).status).toBe(304);
  });

  test('with If-None-Match: every change is told, until it is DONE', async () => {
    const { id } = await main.create('ORDERS', START, END);
    let tag = '"none"';
    for (let reads = 0; ; reads++) {
      const answer = await read(id, '?wait=20', tag);
      expect(answer.status, answer.text).toBe(200);
      expect(tagOf(answer)).not.toBe(tag);
      tag = tagOf(answer);
      if (json<ExportObject>(answer).status === 'DONE') break;
      expect(reads).toBeLessThan(200);
    }
  });

  test.each(['-1', '61', 'abc', '1.5', '', '0x10', '1e1', '99999999999999999999'])(
    'wait=%s is 400',
    async (wait) => {
      const { id } = await main.create('ORDERS', START, END);
      const answer = await read(id, `?wait=${wait}`);
      expectError(answer, 400);
      expect(answer.text).toContain('wait must be a whole number in digits from 0 to 60');
      expectUnauthorized(await nobody.ask(`${main.path}/${id}?wait=${wait}`));
    },
  );

  test('80 of one install at once are all answered', async () => {
    const { id } = await main.create('ORDERS', START, END);
    const answers = await Promise.all(Array.from({ length: 80 }, () => read(id, '?wait=10')));
    for (const answer of answers) expect(answer.status, answer.text).toBe(200);
    // 50 of them may wait; the others are answered at once.
    expect(
      answers.filter((answer) => json<ExportObject>(answer).status === 'DONE').length,
    ).toBeGreaterThanOrEqual(50);
  });
});

describe('details', () => {
  test('show the progress of an open export, where they are asked for', async () => {
    const { id } = await main.create('ORDERS', START, END);
    for (;;) {
      const answer = await read(id, '?details=true');
      const shown = json<ExportObject & { progress?: Record<string, unknown> }>(answer);
      if (shown.status === 'DONE') {
        expect(shown).not.toHaveProperty('progress');
        break;
      }
      expect(answer.text).toMatch(
        /"merchantRef":\{[^}]*\},"progress":\{"queuePosition":\d+,"objects":\d+,"estimatedCompletionTime":(\d+|null)\}\}$/,
      );
      expect((await read(id)).text).not.toContain('"progress"');
    }
    expect((await read(id, '?details=false')).status).toBe(200);
    expectError(await read(id, '?details=yes'), 400);
  });
});
