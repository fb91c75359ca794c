/** Describes failed S3 requests: what happened, and what to do. */
import { findErrorCode, oneLine } from '../errors.ts';
import type { S3Address } from './address.ts';

/** Remedies for the errors that an operator can do something about. */
const ADVICE: Readonly<Record<string, string>> = {
  NoSuchBucket: 'create the bucket, or correct TILLROLL_STORAGE_URL',
  AccessDenied:
    'allow these keys s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload on the objects and s3:ListBucket, s3:ListBucketMultipartUploads on the bucket',
  InvalidAccessKeyId: 'the server does not know this AWS_ACCESS_KEY_ID',
  SignatureDoesNotMatch: 'check AWS_SECRET_ACCESS_KEY, and the region',
  ExpiredToken: 'the credentials have expired: renew them',
  RequestTimeTooSkewed: 'set the clock of this machine',
  PermanentRedirect: 'the bucket is in another region: add region=... to TILLROLL_STORAGE_URL',
  AuthorizationHeaderMalformed:
    'the bucket is in another region: add region=... to TILLROLL_STORAGE_URL',
  CredentialsProviderError:
    'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or another source of the AWS SDK',
  ECONNREFUSED: 'nothing listens there: check endpoint in TILLROLL_STORAGE_URL',
  ENOTFOUND:
    'the host is not known: check endpoint in TILLROLL_STORAGE_URL, or add forcePathStyle=true',
  QuotaExceeded: 'the store is full: raise its quota',
};

/** An S3 request that failed, in one line: where, what, why, and what to do. */
export class S3RequestFailed extends Error {
  override name = 'S3RequestFailed';
  /** S3's own code, or the system's: `AccessDenied`, `ECONNREFUSED`. */
  readonly code: string;
  constructor(location: string, operation: string, error: unknown) {
    const code = findS3Code(error);
    const words = oneLine(error);
    const why =
      words === '' || words === code || words.startsWith('UnknownError')
        ? code
        : `${code}: ${words}`;
    const advice = ADVICE[code];
    super(`${location}: ${operation} failed: ${why}${advice ? ` (${advice})` : ''}`, {
      cause: error,
    });
    this.code = code;
  }
}

/** The code of an error of the SDK: S3's own, the system's, or the HTTP status. */
export function findS3Code(error: unknown): string {
  const system = findErrorCode(error);
  if (system !== undefined) return system;
  const status = findStatus(error);
  const name = error instanceof Error ? error.name : '';
  const isNamed = name !== '' && name !== 'Error' && !/^(Unknown|UnknownError|[0-9]+)$/.test(name);
  if (isNamed) return name;
  return status === undefined ? 'no answer' : `HTTP ${status}`;
}

/** The HTTP status of the answer, where there was one. */
export function findStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const metadata: unknown = Reflect.get(error, '$metadata');
  if (typeof metadata !== 'object' || metadata === null) return undefined;
  const status: unknown = Reflect.get(metadata, 'httpStatusCode');
  return typeof status === 'number' ? status : undefined;
}

/** Runs a request to the store. @throws S3RequestFailed, or the signal's reason when it aborts. */
export async function requestS3<T>(
  location: string,
  operation: string,
  send: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  try {
    return await send();
  } catch (error) {
    signal?.throwIfAborted();
    throw new S3RequestFailed(location, operation, error);
  }
}

/** The store for people: never with a secret. */
export function describeS3({ bucket, prefix, endpoint }: S3Address): string {
  const at = endpoint === null ? '' : ` at ${endpoint}`;
  return `s3://${bucket}/${prefix}${at}`;
}
