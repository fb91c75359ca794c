/** Opens the store at an address. */
import type { StorageAddress } from './address.ts';
import { DirectoryStorage } from './directory.ts';
import type { Storage } from './storage.ts';

/** Signs a URL at which a file of the store can be had for a minute, without us. */
export type PresignFile = (key: string, signedAt: number) => Promise<string>;

export interface OpenStorage {
  readonly storage: Storage;
  /** Null where files have no address of their own. */
  readonly presign: PresignFile | null;
}

/** Opens the store at an address. Nothing is asked of it yet. */
export async function openStorage(address: StorageAddress): Promise<OpenStorage> {
  if (address.kind === 'directory')
    return { storage: new DirectoryStorage(address.path), presign: null };
  // Loaded when used: the SDK costs a start 0.2 s and 30 MB.
  const { S3Storage } = await import('./s3.ts');
  const storage = new S3Storage(address);
  return { storage, presign: (key, signedAt) => storage.presign(key, signedAt) };
}
