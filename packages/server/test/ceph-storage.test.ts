import { afterAll, beforeAll, describe, vi } from 'vitest';
import { hasCeph, startCeph, type Ceph } from '../../../scripts/ceph.ts';
import { makeCredentials, makeStorageUrl } from '../../../scripts/s3.ts';
import { parseStorageUrl, type S3Address } from '../src/storage/address.ts';
import { S3Storage } from '../src/storage/s3.ts';
import { storageContract } from './storage-contract.ts';

/** A real S3 server; on a machine without it these tests are skipped. */
describe.skipIf(!hasCeph())('Ceph', () => {
  let ceph: Ceph;
  let made = 0;

  beforeAll(async () => {
    ceph = await startCeph();
    for (const [name, value] of Object.entries(makeCredentials(ceph))) vi.stubEnv(name, value);
  }, 120_000);

  afterAll(async () => {
    vi.unstubAllEnvs();
    await ceph?.[Symbol.asyncDispose]();
  });

  function addressAt(prefix: string): S3Address {
    return parseStorageUrl(makeStorageUrl(ceph, prefix)) as S3Address;
  }

  storageContract("Ceph's gateway", () =>
    Promise.resolve({
      storage: new S3Storage(addressAt(`contract/${made++}`)),
      dispose: () => Promise.resolve(),
    }),
  );
});
