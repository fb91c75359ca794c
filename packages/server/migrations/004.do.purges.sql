-- When a merchant's objects were purged last: an upload that began before is refused.
CREATE TABLE tillroll.purges (
  merchant_id text COLLATE "C" PRIMARY KEY,
  purged_time bigint NOT NULL
);
