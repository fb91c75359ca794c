-- Everything that was committed before the export was created is in the write-ahead log before this position. It is
-- set when a worker reads from a standby and cannot see this table there.
ALTER TABLE tillroll.exports ADD COLUMN wal_position pg_lsn;
