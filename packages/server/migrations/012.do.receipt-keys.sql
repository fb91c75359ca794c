-- Keys that sign receipts, unless the settings have some. Receipts live for years, so public keys stay when a key is
-- retired. Who can read `private_key` can sign receipts.
CREATE TABLE tillroll.receipt_keys (
  -- RFC 7638: the thumbprint of the public key.
  id text COLLATE "C" PRIMARY KEY,
  -- PEM, PKCS #8; null once the key is retired.
  private_key text,
  -- PEM, SPKI.
  public_key text NOT NULL,
  created_time bigint NOT NULL,
  retired_time bigint
);
-- One key signs.
CREATE UNIQUE INDEX receipt_keys_active ON tillroll.receipt_keys ((true)) WHERE retired_time IS NULL;
