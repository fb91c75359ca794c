/** The SQL of numbers of loads and their cursors, as pure text. Parameters are named in each docstring. */

/** $1 merchant, $2 type, $3 number: what decides whether a cursor of this number still holds. */
export const findLoad = `
  SELECT coalesce((SELECT floor_number FROM tillroll.change_heads
                   WHERE merchant_id = $1 AND type = $2), 0) AS floor,
    (SELECT replace(mark::text, '-', '') FROM tillroll.loads
     WHERE merchant_id = $1 AND type = $2 AND number = $3) AS mark`;

/** $1 merchant, $2 type: the last load that a snapshot shows. No row when there was none. */
export const readHead = `
  SELECT l.number, l.mark::text AS mark FROM tillroll.loads l
  WHERE l.merchant_id = $1 AND l.type = $2 ORDER BY l.number DESC LIMIT 1`;

/** $1 age in ms, $2 how many: the oldest tombstones go, and cursors that have not seen them are out of date. */
export const dropTombstones = `
  WITH old AS (
    SELECT ctid FROM tillroll.tombstones
    WHERE deleted_time <= tillroll.now_ms() - $1::bigint ORDER BY deleted_time LIMIT $2
  ), dropped AS (
    DELETE FROM tillroll.tombstones WHERE ctid IN (SELECT ctid FROM old)
    RETURNING merchant_id, type, load_number
  ), floors AS (
    SELECT merchant_id, type, max(load_number) AS number FROM dropped GROUP BY merchant_id, type
  ), raised AS (
    UPDATE tillroll.change_heads h SET floor_number = greatest(h.floor_number, f.number)
    FROM floors f WHERE h.merchant_id = f.merchant_id AND h.type = f.type
  )
  SELECT count(*)::int AS dropped FROM dropped`;

/** $1 age in ms, $2 how many: marks of old loads, but for the last one of each merchant and type. */
export const dropLoads = `
  DELETE FROM tillroll.loads WHERE ctid IN (
    SELECT l.ctid FROM tillroll.loads l
    JOIN tillroll.change_heads h ON h.merchant_id = l.merchant_id AND h.type = l.type
    WHERE l.created_time <= tillroll.now_ms() - $1::bigint AND l.number < h.last_number
    ORDER BY l.created_time LIMIT $2)`;
