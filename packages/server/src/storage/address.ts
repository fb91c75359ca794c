/** Parses the address of a store: a directory or a bucket. */
import { fileURLToPath } from 'node:url';

/** A directory of this machine, or one that several machines mount. */
export interface DirectoryAddress {
  readonly kind: 'directory';
  /** Absolute path. */
  readonly path: string;
}

/** A bucket of an S3 server, and the part of it that is ours. */
export interface S3Address {
  readonly kind: 's3';
  readonly bucket: string;
  /** Empty, or ends with a slash. */
  readonly prefix: string;
  /** Null: Amazon's. */
  readonly endpoint: string | null;
  /** Null: as the AWS SDK finds it (`AWS_REGION`, its files), else us-east-1. */
  readonly region: string | null;
  /** True for servers that have no host name for each bucket. */
  readonly forcePathStyle: boolean;
}

/** The location of the files of exports. */
export type StorageAddress = DirectoryAddress | S3Address;

const EXAMPLES =
  'file:///var/lib/tillroll/files or s3://bucket/prefix?endpoint=https://s3.example.com&region=us-east-1&forcePathStyle=true';
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/;
/** The characters that S3 calls safe in a key, without those that a URL encodes. */
const PREFIX = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/;
const PARAMETERS = ['endpoint', 'region', 'forcePathStyle'];

/** Reads `TILLROLL_STORAGE_URL`. @throws Error that names what is wrong and what is allowed. */
export function parseStorageUrl(text: string): StorageAddress {
  const url = URL.parse(text);
  if (url?.protocol === 'file:' && (url.host === '' || url.host === 'localhost')) {
    // Throws for what is not a path, such as an encoded slash.
    return { kind: 'directory', path: fileURLToPath(url) };
  }
  if (url?.protocol === 's3:') return parseS3(url);
  throw new Error(`"${text}" is not an address such as ${EXAMPLES}`);
}

function parseS3(url: URL): S3Address {
  if (url.username || url.password) {
    throw new Error(
      'an s3:// address holds no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or another source of the AWS SDK',
    );
  }
  if (!BUCKET.test(url.hostname) || url.port !== '')
    throw new Error(`"${url.host}" is not the name of a bucket: s3://bucket/prefix?endpoint=...`);
  const prefix = url.pathname.replace(/^\/|\/$/g, '');
  const isPlain = prefix === '' || (PREFIX.test(prefix) && !/(^|\/)\.{1,2}(\/|$)/.test(prefix));
  if (!isPlain)
    throw new Error(
      `"${prefix}" is not a prefix of letters, digits, ".", "_" and "-" between single slashes`,
    );
  return {
    kind: 's3',
    bucket: url.hostname,
    prefix: prefix === '' ? '' : `${prefix}/`,
    ...parseParameters(url.searchParams),
  };
}

function parseParameters(
  parameters: URLSearchParams,
): Pick<S3Address, 'endpoint' | 'region' | 'forcePathStyle'> {
  for (const name of new Set(parameters.keys())) {
    if (!PARAMETERS.includes(name))
      throw new Error(`"${name}" is not a parameter of s3://: ${PARAMETERS.join(', ')}`);
    if (parameters.getAll(name).length > 1) throw new Error(`"${name}" is given twice`);
  }
  const endpoint = parameters.get('endpoint');
  const region = parameters.get('region');
  const style = parameters.get('forcePathStyle') ?? 'false';
  if (endpoint !== null) checkEndpoint(endpoint);
  if (region !== null && !/^[a-z0-9-]{1,63}$/.test(region))
    throw new Error(`region: "${region}" is not a region such as us-east-1`);
  if (style !== 'true' && style !== 'false')
    throw new Error(`forcePathStyle: "${style}" is not true or false`);
  return { endpoint, region, forcePathStyle: style === 'true' };
}

function checkEndpoint(text: string): void {
  const url = URL.parse(text);
  const isPlain =
    url !== null &&
    ['http:', 'https:'].includes(url.protocol) &&
    url.username + url.password + url.search + url.hash === '';
  // An address that may have a password in it is not repeated.
  if (!isPlain) {
    const sent = text.includes('@') ? 'it' : `"${text}"`;
    throw new Error(`endpoint: ${sent} is not an address such as https://s3.example.com`);
  }
}
