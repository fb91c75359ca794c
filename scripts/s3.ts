/** Names the bucket of throw-away S3 servers, and the settings with which the service reaches one. */
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

/** An S3 server with the bucket, and the keys for it. */
export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export const BUCKET = 'tillroll';

export async function createBucket(server: Omit<S3Server, keyof AsyncDisposable>): Promise<void> {
  const { endpoint, accessKeyId, secretAccessKey } = server;
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
}

/** The environment through which the SDK, in this process or another, finds the keys. */
export function makeCredentials(server: S3Server): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: server.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
  };
}

/** A `TILLROLL_STORAGE_URL` for a prefix of the bucket. @param endpoint of a proxy in front of the server. */
export function makeStorageUrl(
  server: S3Server,
  prefix: string,
  endpoint: string = server.endpoint,
): string {
  return `s3://${BUCKET}/${prefix}?endpoint=${endpoint}&forcePathStyle=true`;
}
