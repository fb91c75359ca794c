import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { BUCKET, makeCredentials, makeStorageUrl, type S3Server } from '../../scripts/s3.ts';

/** The place of a deployment's files, seen from outside the service. */
export interface Store {
  /** The settings with which a process of the service finds it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Everything in it: `<export>/<attempt>/<file>`, and `upload <key>` for an upload that was cut off. */
  list(): Promise<string[]>;
}

/** Files in a directory. */
export async function makeDirectoryStore(directory: string): Promise<Store> {
  await mkdir(directory, { recursive: true });
  return {
    environment: { TILLROLL_STORAGE_URL: pathToFileURL(directory).href },
    async list() {
      const entries = await readdir(directory, { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
    },
  };
}

/**
 * Objects below a prefix of the bucket.
 * @param endpoint where the service reaches the server: a proxy, or the server itself.
 */
export function makeS3Store(server: S3Server, prefix: string, endpoint = server.endpoint): Store {
  const { accessKeyId, secretAccessKey } = server;
  const client = new S3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  const below = { Bucket: BUCKET, Prefix: `${prefix}/` };
  return {
    environment: {
      TILLROLL_STORAGE_URL: makeStorageUrl(server, prefix, endpoint),
      ...makeCredentials(server),
    },
    async list() {
      const keys: string[] = [];
      let token: string | undefined;
      do {
        const page = await client.send(
          new ListObjectsV2Command({ ...below, ...(token && { ContinuationToken: token }) }),
        );
        for (const { Key = '' } of page.Contents ?? []) keys.push(Key.slice(prefix.length + 1));
        token = page.NextContinuationToken;
      } while (token !== undefined);
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand(below));
      return [...keys, ...Uploads.map(({ Key = '' }) => `upload ${Key.slice(prefix.length + 1)}`)];
    },
  };
}
