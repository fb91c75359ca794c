/** The SQL of the keys of receipts, as pure text. Parameters are named in each docstring. */

/** All keys: the one that signs, then those that are retired, the last one first. */
export const list = `
  SELECT id, private_key AS "privateKey", public_key AS "publicKey",
    created_time AS "createdTime", retired_time AS "retiredTime"
  FROM tillroll.receipt_keys ORDER BY retired_time DESC NULLS FIRST`;

/** $1 id, $2 private key, $3 public key */
export const insert = `
  INSERT INTO tillroll.receipt_keys (id, private_key, public_key, created_time)
  VALUES ($1, $2, $3, tillroll.now_ms())`;

/** Nobody can sign with it any more. */
export const retire = `
  UPDATE tillroll.receipt_keys SET private_key = NULL, retired_time = tillroll.now_ms()
  WHERE retired_time IS NULL`;
