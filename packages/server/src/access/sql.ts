/** The SQL of installs, as pure text. Parameters are named in each docstring. */

const COLUMNS = `id, merchant_id AS "merchantId", app_id AS "appId", permissions,
  created_time AS "createdTime", revoked_time AS "revokedTime"`;

/** $1 id, $2 merchant, $3 app, $4 permissions[], $5 hash of the secret */
export const insert = `
  INSERT INTO tillroll.installs (id, merchant_id, app_id, permissions, secret_hash, created_time)
  VALUES ($1, $2, $3, $4, $5, tillroll.now_ms())`;

/** $1 id */
export const deleteOne = 'DELETE FROM tillroll.installs WHERE id = $1';

/** $1 merchant or null for all; oldest first. */
export const list = `
  SELECT ${COLUMNS} FROM tillroll.installs
  WHERE $1::text IS NULL OR merchant_id = $1 ORDER BY merchant_id, created_time, id`;

/** $1 merchant, $2 app or null for all: revokes what is not revoked yet. */
export const revoke = `
  UPDATE tillroll.installs SET revoked_time = tillroll.now_ms()
  WHERE merchant_id = $1 AND ($2::text IS NULL OR app_id = $2) AND revoked_time IS NULL`;

/** $1 id: one install, as authentication reads it. */
export const read = `
  SELECT ${COLUMNS}, encode(secret_hash, 'hex') AS "secretHash"
  FROM tillroll.installs WHERE id = $1`;
