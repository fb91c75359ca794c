import { afterAll, beforeAll, describe, vi } from 'vitest';
import { hasCeph, type Ceph } from '../../../scripts/ceph.ts';
import { parseStorageUrl, type S3Address } from '../src/storage/address.ts';
import { S3Storage } from '../src/storage/s3.ts';
import { credentials, startCephWithBucket, storageUrl } from './s3-server.ts';
import { storageContract } from './storage-contract.ts';

/** A real S3 server; on a machine without it these tests are skipped. */
describe.skipIf(!hasCeph())('Ceph', () => {
  let ceph: Ceph;
  let made = 0;

  beforeAll(async () => {
    ceph = await startCephWithBucket();
    for (const [name, value] of Object.entries(credentials(ceph))) vi.stubEnv(name, value);
  }, 120_000);

  afterAll(async () => {
    vi.unstubAllEnvs();
    await ceph?.[Symbol.asyncDispose]();
  });

  function addressAt(prefix: string): S3Address {
    return parseStorageUrl(storageUrl(ceph, prefix)) as S3Address;
  }

  storageContract("Ceph's gateway", () =>
    Promise.resolve({
      storage: new S3Storage(addressAt(`contract/${made++}`)),
      dispose: () => Promise.resolve(),
    }),
  );
});
