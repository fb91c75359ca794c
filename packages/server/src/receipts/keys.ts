/** Keys that sign receipts: Ed25519, known by the thumbprint of the public key (RFC 7638). */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';

/** A key whose public part is published, and which may sign. */
export interface ReceiptKey {
  readonly id: string;
  readonly publicKey: KeyObject;
  /** Null for one that only verifies any more. */
  readonly privateKey: KeyObject | null;
}

/** A public key as `/.well-known/jwks.json` shows it (RFC 8037). */
export interface PublicJwk {
  kty: 'OKP';
  crv: 'Ed25519';
  alg: 'EdDSA';
  use: 'sig';
  kid: string;
  /** The 32 bytes of the key, base64url. */
  x: string;
}

/**
 * Reads a key of Ed25519 in PEM: a private one signs, a public one only verifies.
 * @throws Error in one line when it is anything else.
 */
export async function parseReceiptKey(pem: string): Promise<ReceiptKey> {
  const isPrivate = pem.includes('PRIVATE KEY');
  let key: KeyObject;
  try {
    key = isPrivate ? createPrivateKey(pem) : createPublicKey(pem);
  } catch {
    throw new Error('not a key in PEM; make one with: openssl genpkey -algorithm ed25519');
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new Error(
      `a key of type ${key.asymmetricKeyType}; it must be Ed25519: openssl genpkey -algorithm ed25519`,
    );
  const publicKey = isPrivate ? createPublicKey(key) : key;
  return { id: await findId(publicKey), publicKey, privateKey: isPrivate ? key : null };
}

/** Makes a new key. */
export async function makeReceiptKey(): Promise<ReceiptKey> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { id: await findId(publicKey), publicKey, privateKey };
}

export function toPublicJwk({ id, publicKey }: ReceiptKey): PublicJwk {
  const { x = '' } = publicKey.export({ format: 'jwk' });
  return { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', kid: id, x };
}

function findId(publicKey: KeyObject): Promise<string> {
  return calculateJwkThumbprint(publicKey.export({ format: 'jwk' }) as { kty: string });
}
