/** Makes and parses tokens. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { exportIdFrom } from '@tillroll/contract';

/** `tr_<install id>_<secret>`: the id finds the row, the secret proves it. */
const TOKEN = /^tr_([0-9A-HJKMNP-TV-Z]{13})_([A-Za-z0-9_-]{43})$/;

/** A new token; only `secretHash` is stored. */
export function mintToken(): { token: string; installId: string; secretHash: Buffer } {
  const installId = exportIdFrom(randomBytes(13));
  // 256 random bits need no salt and no slow hash.
  const secret = randomBytes(32).toString('base64url');
  return { token: `tr_${installId}_${secret}`, installId, secretHash: hashSecret(secret) };
}

function hashSecret(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

/** The parts of a token as it was sent, or null when it is none of ours. */
export function parseToken(token: string): { installId: string; secret: string } | null {
  const match = TOKEN.exec(token);
  return match?.[1] && match[2] ? { installId: match[1], secret: match[2] } : null;
}

/** Tells whether the secret is the one that was hashed, in constant time. */
export function secretMatches(secret: string, stored: Buffer): boolean {
  const sent = hashSecret(secret);
  return sent.length === stored.length && timingSafeEqual(sent, stored);
}
