-- The lowest number of a schema whose programs can still run on this one. A migration that keeps the programs
-- before it from working raises it to its own number.
CREATE TABLE tillroll.schema_compatibility (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  lowest_version integer NOT NULL
);
INSERT INTO tillroll.schema_compatibility (lowest_version) VALUES (7);
