import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import S3rver from '@20minutes/s3rver';
import { startCeph, type Ceph } from '../../../scripts/ceph.ts';

/** An S3 server with one bucket, and the keys for it. */
export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export const BUCKET = 'tillroll';

/** Starts the S3 server that is an npm package, over a temporary directory. */
export async function startS3rver(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 'tillroll-s3-'));
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    directory,
    silent: true,
    // It computes another signature than the SDK for requests such as `?uploads`. Ceph checks all of them.
    allowMismatchedSignatures: true,
    configureBuckets: [{ name: BUCKET }],
  });
  const { port } = await server.run();
  return {
    endpoint: `http://127.0.0.1:${port}`,
    // The package knows one user.
    accessKeyId: 'S3RVER',
    secretAccessKey: 'S3RVER',
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Starts Ceph's gateway, with the bucket. */
export async function startCephWithBucket(): Promise<Ceph> {
  const ceph = await startCeph();
  const { accessKeyId, secretAccessKey } = ceph;
  const client = new S3Client({
    endpoint: ceph.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  return ceph;
}

/** The environment through which the SDK, in this process or another, finds the keys. */
export function credentials(server: S3Server): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: server.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
  };
}

/** A `TILLROLL_STORAGE_URL` for a prefix of the bucket. */
export function storageUrl(server: S3Server, prefix: string): string {
  return `s3://${BUCKET}/${prefix}?endpoint=${server.endpoint}&forcePathStyle=true`;
}
