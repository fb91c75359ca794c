/** The forms of merchant, app and export ids. */

/** Merchant and app ids. Anything else in a path is 404. */
export const MERCHANT_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Crockford base32: 0-9 A-Z without I, L, O, U. */
export const CROCKFORD_ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

export const EXPORT_ID = /^[0-9A-HJKMNP-TV-Z]{13}$/;
export const EXPORT_ID_LENGTH = 13;

/**
 * Ids of 13 characters of Crockford base32 from random bytes (65 bits).
 * @param randomBytes must come from a cryptographic source; at least 13 bytes.
 */
export function exportIdFrom(randomBytes: Uint8Array): string {
  let id = '';
  for (let i = 0; i < EXPORT_ID_LENGTH; i++) {
    const byte = randomBytes[i];
    if (byte === undefined) throw new RangeError(`an id needs ${EXPORT_ID_LENGTH} random bytes`);
    // 256 is a multiple of 32, so that taking five bits favours no character.
    id += CROCKFORD_ALPHABET[byte & 31];
  }
  return id;
}
