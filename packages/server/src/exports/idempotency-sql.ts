/** The SQL of idempotency keys, as pure text. Parameters are named in each docstring. */

/** $1 merchant, $2 app, $3 key, $4 age in ms from which a key is forgotten */
export const find = `
  SELECT body_hash AS "bodyHash", answer FROM tillroll.idempotency_keys
  WHERE merchant_id = $1 AND app_id = $2 AND key = $3 AND created_time > tillroll.now_ms() - $4::bigint`;

/** $1 merchant, $2 app, $3 key, $4 hash of the body, $5 answer */
export const keep = `
  INSERT INTO tillroll.idempotency_keys (merchant_id, app_id, key, body_hash, answer, created_time)
  VALUES ($1, $2, $3, $4, $5, tillroll.now_ms())
  ON CONFLICT (merchant_id, app_id, key) DO UPDATE
  SET body_hash = excluded.body_hash, answer = excluded.answer, created_time = excluded.created_time`;

/** $1 age in ms from which a key is forgotten */
export const forget = `
  DELETE FROM tillroll.idempotency_keys WHERE created_time <= tillroll.now_ms() - $1::bigint`;

/** $1 merchant */
export const forgetMerchant = 'DELETE FROM tillroll.idempotency_keys WHERE merchant_id = $1';
