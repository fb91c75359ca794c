/** Makes the client of an S3 server. */
import { S3Client } from '@aws-sdk/client-s3';
import type { S3Address } from './address.ts';

const CONNECT_MS = 5_000;
/** From a request's last byte to the answer's first; also the longest silence within a body. */
const ANSWER_MS = 15_000;
/** Tries of one request, in the SDK's standard mode: exponential pauses with jitter, and a budget over all requests. */
const MAX_TRIES = 4;
/** Connections to the store: the downloads that may be open at once, and the uploads beside them. */
const MAX_SOCKETS = 128;

/** Makes the client of a store. Credentials come by the SDK's usual chain, and are renewed by it. */
export function createS3Client({ endpoint, region, forcePathStyle }: S3Address): S3Client {
  return new S3Client({
    ...(endpoint !== null && { endpoint }),
    ...chooseRegion(region, endpoint),
    forcePathStyle,
    retryMode: 'standard',
    maxAttempts: MAX_TRIES,
    // Not every server knows the checksums that are the SDK's default since 2025. The signature covers
    // the body's SHA-256 all the same.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: ANSWER_MS,
      throwOnRequestTimeout: true,
      socketTimeout: ANSWER_MS,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    },
  });
}

/** A server of one's own has no regions: any name does, where none is configured. */
function chooseRegion(region: string | null, endpoint: string | null): { region?: string } {
  if (region !== null) return { region };
  const isConfigured = process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'];
  return endpoint !== null && !isConfigured ? { region: 'us-east-1' } : {};
}
