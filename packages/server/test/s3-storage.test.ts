import { afterAll, beforeAll, vi } from 'vitest';
import { parseStorageUrl, type S3Address } from '../src/storage/address.ts';
import { S3Storage } from '../src/storage/s3.ts';
import { makeCredentials, makeStorageUrl, type S3Server } from '../../../scripts/s3.ts';
import { startS3rver } from './s3-server.ts';
import { storageContract } from './storage-contract.ts';

let server: S3Server;
let made = 0;

beforeAll(async () => {
  server = await startS3rver();
  for (const [name, value] of Object.entries(makeCredentials(server))) vi.stubEnv(name, value);
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await server[Symbol.asyncDispose]();
});

function storageAt(prefix: string): S3Storage {
  return new S3Storage(parseStorageUrl(makeStorageUrl(server, prefix)) as S3Address);
}

storageContract(
  "an S3 server that is npm's",
  () =>
    Promise.resolve({ storage: storageAt(`contract/${made++}`), dispose: () => Promise.resolve() }),
  // The package ignores If-None-Match of a write, and answers the whole object to `bytes=0-0`.
  { hasConditionalWrites: false, hasFirstByte: false },
);
