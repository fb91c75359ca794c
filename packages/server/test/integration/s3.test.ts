import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { hasCeph, startCeph } from '../../../../scripts/ceph.ts';
import { BUCKET, makeCredentials, makeStorageUrl, type S3Server } from '../../../../scripts/s3.ts';
import { startS3rver } from '../s3-server.ts';
import { Api, download, parseIds, type Exported } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { command } from './process.ts';
import { serveHere } from './service.ts';
import { until } from './until.ts';

const SERVERS = [
  { name: "npm's S3 server", isInstalled: true, isCeph: false, start: startS3rver },
  { name: 'Ceph', isInstalled: hasCeph(), isCeph: true, start: startCeph },
];

const ORDERS = 1200;

describe.each(SERVERS.filter(({ isInstalled }) => isInstalled))('files on $name', (kind) => {
  let server: S3Server;
  let client: S3Client;
  let place: Place;
  let prefixes = 0;
  let prefix: string;
  const stops: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    server = await kind.start();
    for (const [name, value] of Object.entries(makeCredentials(server))) vi.stubEnv(name, value);
    client = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true });
  }, 120_000);

  afterAll(async () => {
    vi.unstubAllEnvs();
    await server[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    place = await makePlace();
    prefix = `place-${prefixes++}`;
  });

  afterEach(async () => {
    for (const stop of stops.splice(0).toReversed()) await stop();
    await place.remove();
  });

  async function start(more: Record<string, string> = {}, roles = {}): Promise<Api> {
    const service = await serveHere(place, roles, {
      TILLROLL_STORAGE_URL: makeStorageUrl(server, prefix),
      ...more,
    });
    stops.push(() => service.stop());
    return new Api(service.url, 'M1', await place.install('M1'));
  }

  async function listKeys(): Promise<string[]> {
    const list = new ListObjectsV2Command({ Bucket: BUCKET, Prefix: `${prefix}/` });
    const { Contents = [] } = await client.send(list);
    return Contents.map(({ Key = '' }) => Key.slice(prefix.length + 1));
  }

  async function exportAll(api: Api): Promise<Exported> {
    await place.seed('M1', ORDERS);
    return api.export(FROM, TO);
  }

  function firstUrl(exported: Exported): string {
    return exported.exportUrls?.elements[0]?.url ?? '';
  }

  /** One request as it is on the wire: redirects are not followed, bodies not inflated. */
  async function ask(url: string, headers: Record<string, string>, method: 'GET' | 'HEAD' = 'GET') {
    const answer = await request(url, {
      method,
      headers: { 'accept-encoding': 'gzip', ...headers },
    });
    return { ...answer, body: Buffer.from(await answer.body.arrayBuffer()) };
  }

  test('an export is whole, its objects are gzip, and they go when it expires', async () => {
    const api = await start({ TILLROLL_RETENTION: '5s' });
    const done = await exportAll(api);
    expect(done.status).toBe('DONE');
    const files = await download(done);
    expect(new Set(parseIds(files)).size).toBe(ORDERS);
    expect(files.map((file) => createHash('sha256').update(file).digest('hex'))).toEqual(
      done.files?.elements.map(({ sha256 }) => sha256),
    );
    expect(await listKeys()).toEqual([
      `${done.id}/1/000000.json.gz`,
      `${done.id}/1/000001.json.gz`,
      'tillroll-store.json',
    ]);
    await until('the objects are deleted', async () => (await listKeys()).length === 1);
  });

  test('without redirects the service streams', async () => {
    const exported = await exportAll(await start());
    const streamed = await ask(firstUrl(exported), {});
    expect(streamed.statusCode).toBe(200);
    const sha256 = createHash('sha256').update(gunzipSync(streamed.body)).digest('hex');
    expect(sha256).toBe(exported.files?.elements[0]?.sha256);
  });

  test('a download by redirect resumes at the service; who cannot follow one is not sent', async () => {
    const exported = await exportAll(await start({ TILLROLL_S3_REDIRECT: 'true' }));
    const url = firstUrl(exported);

    const redirected = await ask(url, {});
    expect(redirected.statusCode).toBe(302);
    expect(redirected.headers['cache-control']).toBe('no-store');
    const location = String(redirected.headers['location']);
    expect(new URL(location).origin).toBe(server.endpoint);
    expect(new URL(location).searchParams.get('X-Amz-Expires')).toBe('60');

    // The store's answer has what the service's would have.
    const fromStore = await ask(location, {});
    expect(fromStore.statusCode).toBe(200);
    expect(fromStore.headers['content-encoding']).toBe('gzip');
    expect(fromStore.headers['content-type']).toMatch(/^application\/json/);
    const whole = gunzipSync(fromStore.body);
    const sha256 = createHash('sha256').update(whole).digest('hex');
    expect(sha256).toBe(exported.files?.elements[0]?.sha256);

    const etag = String(fromStore.headers['etag']);
    const head = await ask(url, {}, 'HEAD');
    expect([head.statusCode, head.headers['etag']]).toEqual([200, etag]);
    const withToken = await ask(url, { authorization: 'Bearer carried-along' });
    expect(withToken.statusCode).toBe(200);
    expect(withToken.body.equals(fromStore.body)).toBe(true);
    const rest = await ask(url, { range: 'bytes=1000-', 'if-range': etag });
    expect(rest.statusCode).toBe(206);
    expect(rest.body.equals(fromStore.body.subarray(1000))).toBe(true);
    const changed = await ask(url, { range: 'bytes=1000-', 'if-range': '"another"' });
    expect(changed.statusCode).toBe(200);
    expect((await ask(url, { 'if-none-match': etag })).statusCode).toBe(304);
    const identity = await ask(url, { 'accept-encoding': 'identity' });
    expect(identity.statusCode).toBe(200);
    expect(identity.body.equals(whole)).toBe(true);
  });

  test("another database's store is refused", async () => {
    await start();
    const other = await makePlace();
    try {
      const services = serveHere(
        other,
        {},
        { TILLROLL_STORAGE_URL: makeStorageUrl(server, prefix) },
      );
      await expect(services).rejects.toThrow(/belongs to another database/);
    } finally {
      await other.remove();
    }
  });

  test.each([
    ['no bucket', 's3://missing/x', {}, /NoSuchBucket.*create the bucket/],
    [
      'no server',
      's3://bucket/x?endpoint=http://127.0.0.1:1',
      {},
      /ECONNREFUSED.*nothing listens there/,
    ],
    ...(kind.isCeph
      ? ([
          ['an unknown key', null, { AWS_ACCESS_KEY_ID: 'NOBODY' }, /InvalidAccessKeyId/],
          [
            'a wrong key',
            null,
            { AWS_SECRET_ACCESS_KEY: 'x' },
            /SignatureDoesNotMatch.*check AWS_/,
          ],
        ] as const)
      : []),
  ] as const)('says at start what is wrong, in one line: %s', async (_, url, keys, said) => {
    const query = `?endpoint=${server.endpoint}&forcePathStyle=true`;
    const address =
      url === null ? makeStorageUrl(server, prefix) : url.includes('?') ? url : url + query;
    const environment = place.environment({ TILLROLL_STORAGE_URL: address, ...keys });
    const failed = await command(['serve'], environment).catch((error: Error) => error.message);
    const lines = failed.trim().split('\n');
    const own = lines.filter((line) => line.includes('tillroll-server: '));
    expect(own).toHaveLength(1);
    expect(own[0]).toMatch(said);
    expect(own[0]).toMatch(/s3:\/\//);
  });

  test('what no export owns is swept, uploads that were cut off among it', async () => {
    const api = await start({}, { work: false });
    const stop = await serveHere(
      place,
      { serve: false },
      { TILLROLL_STORAGE_URL: makeStorageUrl(server, prefix) },
    );
    const done = await exportAll(api);
    await stop.stop();
    const needed = await listKeys();
    for (const orphan of ['0123456789ABC/1', '0123456789ABC/2', `${done.id}/7`]) {
      const Key = `${prefix}/${orphan}/000000.json.gz`;
      await client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: 'half a fi' }));
    }
    const others = { Bucket: BUCKET, Key: `${prefix}/not-ours/1/000000.json.gz` };
    await client.send(new PutObjectCommand({ ...others, Body: 'somebody else' }));
    if (kind.isCeph) {
      const cut = { Bucket: BUCKET, Key: `${prefix}/0123456789ABC/3/000000.json.gz` };
      const { UploadId } = await client.send(new CreateMultipartUploadCommand(cut));
      await client.send(new UploadPartCommand({ ...cut, UploadId, PartNumber: 1, Body: 'a part' }));
    }

    await start({}, { serve: false });

    const stay = [...needed, 'not-ours/1/000000.json.gz'].toSorted();
    await until('the orphans are gone', async () => (await listKeys()).length === stay.length);
    expect((await listKeys()).toSorted()).toEqual(stay);
    if (kind.isCeph) {
      await until('the upload is aborted', async () => {
        const list = new ListMultipartUploadsCommand({ Bucket: BUCKET, Prefix: prefix });
        return ((await client.send(list)).Uploads ?? []).length === 0;
      });
    }
    expect(await download(await api.read(done.id))).toHaveLength(2);
  });
});
