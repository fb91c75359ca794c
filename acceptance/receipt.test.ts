/** The signed receipt of an export, verified as a stranger would (wire contract, and RFC 7515, 7517, 8037). */
import { execFileSync } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import {
  choosePeriod,
  DAY,
  json,
  line,
  main,
  nobody,
  other,
  otherApp,
  readOrders,
  target,
  type ExportObject,
} from './api.ts';
import { expectExportNotFound, expectUnauthorized } from './error-shapes.ts';
import { exact } from './exact-requests.ts';

const START = choosePeriod(1998);

let id = '';

beforeAll(async () => {
  const big = '9007199254740991';
  await main.load('PAYMENTS', [
    `{"id":"BIG1${START}","createdTime":${START},"amount":${big},"currency":"USD"}`,
    `{"id":"BIG2${START}","createdTime":${START},"amount":${big},"currency":"USD"}`,
    line(START + 1, { amount: 2, currency: 'USD' }),
  ]);
  id = (await main.export('PAYMENTS', START, START + DAY)).export.id;
});

async function readKeys(): Promise<{ kid: string; x: string }[]> {
  const answer = await exact(target.url, '/.well-known/jwks.json');
  expect(answer.status, answer.text).toBe(200);
  return json<{ keys: { kid: string; x: string }[] }>(answer).keys;
}

test('is the export as it is, signed by a key that is published', async () => {
  const answer = await main.ask(`${main.path}/${id}/receipt`);
  expect(answer.status, answer.text).toBe(200);
  expect(answer.headers.get('content-type')).toBe('application/jose');
  const [header = '', payload = '', signature = ''] = answer.text.split('.');
  const { alg, kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as {
    alg: string;
    kid: string;
  };
  expect(alg).toBe('EdDSA');
  const key = (await readKeys()).find((each) => each.kid === kid);
  expect(key).toMatchObject({ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig' });
  const publicKey = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: key?.x ?? '' },
    format: 'jwk',
  });
  const signed = Buffer.from(`${header}.${payload}`);
  expect(verify(null, signed, publicKey, Buffer.from(signature, 'base64url'))).toBe(true);
  signed[signed.length - 1] = (signed.at(-1) ?? 0) ^ 1;
  expect(verify(null, signed, publicKey, Buffer.from(signature, 'base64url'))).toBe(false);

  const text = Buffer.from(payload, 'base64url').toString();
  const shown = (await main.read(id)).text.replace(/"exportUrls":\{.*?\]\},/, '');
  expect(text).toBe(shown);
  // Beyond 2^53, to the unit.
  expect(text).toContain('"amount":18014398509481984,');
});

test('can be verified with openssl, as docs/api.md shows', async () => {
  const receipt = (await main.ask(`${main.path}/${id}/receipt`)).text;
  const keys = (await exact(target.url, '/.well-known/jwks.json')).text;
  const directory = await mkdtemp(join(tmpdir(), 'tillroll-receipt-'));
  try {
    await writeFile(join(directory, 'receipt.jws'), receipt);
    await writeFile(join(directory, 'jwks.json'), keys);
    const docs = execFileSync('cat', [join(import.meta.dirname, '../docs/api.md')]).toString();
    const script = /```sh\n(# Verify a receipt[\s\S]*?)```/.exec(docs)?.[1] ?? '';
    const said = execFileSync('bash', ['-euo', 'pipefail', '-c', script], { cwd: directory });
    expect(said.toString()).toContain('Signature Verified Successfully');
    await writeFile(join(directory, 'receipt.jws'), receipt.replace('.', '.e'));
    expect(() =>
      execFileSync('bash', ['-euo', 'pipefail', '-c', script], { cwd: directory, stdio: 'pipe' }),
    ).toThrow();
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('stays when the files are deleted', async () => {
  const { export: done } = await main.export('ORDERS', START, START + DAY);
  await main.ask(`${main.path}/${done.id}`, { method: 'DELETE' });
  expect((await main.ask(`${main.path}/${done.id}/receipt`)).status).toBe(200);
});

test('is for who may read the export', async () => {
  const path = `${main.path}/${id}/receipt`;
  expectUnauthorized(await nobody.ask(path));
  expectUnauthorized(await readOrders.ask(path));
  expectExportNotFound(await otherApp.ask(path));
  expectExportNotFound(await other.ask(`${other.path}/${id}/receipt`));
  expectExportNotFound(await main.ask(`${main.path}/0000000000000/receipt`));
});

test('of an export that is not DONE is 409', async () => {
  const created = await main.create('ORDERS', START, START + DAY);
  const canceled = json<ExportObject>(
    await main.ask(`${main.path}/${created.id}`, { method: 'DELETE' }),
  );
  const answer = await main.ask(`${main.path}/${created.id}/receipt`);
  expect(answer.status).toBe(canceled.status === 'DONE' ? 200 : 409);
});
