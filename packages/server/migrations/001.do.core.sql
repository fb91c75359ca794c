-- Merchants' objects. A platform may put views of the same columns in place of these two tables.
-- Every time is epoch milliseconds. `object` is text, not jsonb: the exact bytes must come back.
-- Objects up to 8 kB stay in the row uncompressed: reading them back is the main job.

CREATE TABLE tillroll.orders (
  merchant_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  created_time bigint NOT NULL,
  modified_time bigint NOT NULL,
  currency text,
  total bigint,
  object text NOT NULL,
  PRIMARY KEY (merchant_id, id)
) WITH (toast_tuple_target = 8160);

CREATE INDEX orders_by_created ON tillroll.orders (merchant_id, created_time, id);

CREATE TABLE tillroll.payments (
  merchant_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  created_time bigint NOT NULL,
  modified_time bigint NOT NULL,
  currency text,
  amount bigint,
  tip_amount bigint,
  tax_amount bigint,
  result text,
  object text NOT NULL,
  PRIMARY KEY (merchant_id, id)
) WITH (toast_tuple_target = 8160);

CREATE INDEX payments_by_created ON tillroll.payments (merchant_id, created_time, id);

-- One row for each `install` command: who may do what. The token itself is never stored.
CREATE TABLE tillroll.installs (
  id text COLLATE "C" PRIMARY KEY,
  merchant_id text COLLATE "C" NOT NULL,
  app_id text COLLATE "C" NOT NULL,
  permissions text[] NOT NULL,
  secret_hash bytea NOT NULL,
  created_time bigint NOT NULL,
  revoked_time bigint
);

CREATE INDEX installs_by_merchant ON tillroll.installs (merchant_id, app_id);

CREATE TABLE tillroll.exports (
  id text COLLATE "C" PRIMARY KEY,
  merchant_id text COLLATE "C" NOT NULL,
  app_id text COLLATE "C" NOT NULL,
  type text NOT NULL CHECK (type IN ('ORDERS', 'PAYMENTS')),
  status text NOT NULL CHECK (status IN ('PENDING', 'IN_PROGRESS', 'DONE', 'FAILED', 'CANCELED')),
  percent_complete smallint NOT NULL DEFAULT 0 CHECK (percent_complete BETWEEN 0 AND 100),
  start_time bigint NOT NULL,
  end_time bigint NOT NULL,
  created_time bigint NOT NULL,
  modified_time bigint NOT NULL,
  started_time bigint,
  available_until bigint,
  -- Every take-up by a worker counts one up; only the current attempt may change the row.
  attempt integer NOT NULL DEFAULT 0,
  -- The queue's job that is to run the next attempt; a job that is not this one is out of date.
  job_id uuid NOT NULL,
  errors integer NOT NULL DEFAULT 0,
  interruptions integer NOT NULL DEFAULT 0,
  failure_code text,
  files_deleted boolean NOT NULL DEFAULT false,
  -- Exports created in the same millisecond still have an order in the list.
  sequence bigint GENERATED ALWAYS AS IDENTITY
);

CREATE INDEX exports_by_install ON tillroll.exports (merchant_id, app_id, created_time DESC, sequence DESC);
CREATE INDEX exports_open ON tillroll.exports (merchant_id) WHERE status IN ('PENDING', 'IN_PROGRESS');

CREATE TABLE tillroll.export_files (
  export_id text COLLATE "C" NOT NULL REFERENCES tillroll.exports ON DELETE CASCADE,
  position integer NOT NULL,
  objects integer NOT NULL,
  bytes bigint NOT NULL,
  compressed_bytes bigint NOT NULL,
  sha256 text NOT NULL,
  PRIMARY KEY (export_id, position)
);

-- The key that signs file URLs when none is configured: made once, shared by every process.
CREATE TABLE tillroll.signing_key (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  key text NOT NULL
);

-- PostgreSQL's clock rules, so that machines agree.
CREATE FUNCTION tillroll.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
  $$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;
