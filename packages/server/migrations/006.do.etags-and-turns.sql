-- The ETag that an object store gives a file. A client that was redirected there resumes with it, here.
ALTER TABLE tillroll.export_files ADD COLUMN stored_etag text;

-- When it is an export's turn, as if its merchant had waited with it: merchants take turns. Workers take the
-- exports in this order.
ALTER TABLE tillroll.exports ADD COLUMN turn_time bigint;
UPDATE tillroll.exports SET turn_time = created_time;
ALTER TABLE tillroll.exports ALTER COLUMN turn_time SET NOT NULL;
-- For a process of the version before, while the upgrade is rolled out.
ALTER TABLE tillroll.exports ALTER COLUMN turn_time SET DEFAULT tillroll.now_ms();
