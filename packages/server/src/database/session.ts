/**
 * The settings that our transactions set for themselves: a role or a database may have any defaults
 * (ALTER ROLE ... SET), and behind a pooler nothing that a session was told outlives a transaction.
 */

/** Facts about a new session. */
export interface SessionFacts {
  /** `server_version_num`: 150018 is 15.18. */
  version: number;
  /** The encoding of the database; a client that asks for UTF-8 is not enough. */
  encoding: string;
  inRecovery: boolean;
  /** `default_transaction_read_only`, and where it was set. */
  readOnly: boolean;
  readOnlySource: string;
  /** `synchronous_commit` is off. */
  asynchronous: boolean;
}

/** In a transaction of its own: a standby refuses any statement of a session that defaults to SERIALIZABLE. */
export const ASK_FACTS = `
  BEGIN ISOLATION LEVEL READ COMMITTED;
  SELECT pg_catalog.current_setting('server_version_num')::int AS version,
         pg_catalog.current_setting('server_encoding') AS encoding,
         pg_catalog.pg_is_in_recovery() AS "inRecovery",
         s.setting = 'on' AS "readOnly", s.source AS "readOnlySource",
         pg_catalog.current_setting('synchronous_commit') = 'off' AS asynchronous
  FROM pg_catalog.pg_settings s WHERE s.name = 'default_transaction_read_only';
  COMMIT`;

/** Longest times of the parts of a transaction, milliseconds. */
export interface Bounds {
  /** One statement. */
  statementMs: number;
  /** Waiting for one lock. */
  lockMs: number;
  /** Silence of the client in mid-transaction: a process that is stopped must not hold its locks for longer. */
  idleMs: number;
}

/**
 * The longest silence, ms, of a process whose work others take over: stopped in mid-transaction it holds its locks for no
 * longer, and is still noticed within 20 s.
 */
export const IDLE_MS = 4_000;
/** The same of an export, which notes its statement elsewhere before it begins to read. */
const IDLE_IN_EXPORT_MS = 5 * 60_000;

/** Sources that speak for the whole server: an operator, or the tool that manages it, has fenced it. */
const SERVER_WIDE = new Set(['configuration file', 'command line', 'environment variable']);

/** Tells whether the server as a whole says that nothing may be written here. */
export function isFenced({ inRecovery, readOnly, readOnlySource }: SessionFacts): boolean {
  return inRecovery || (readOnly && SERVER_WIDE.has(readOnlySource));
}

/**
 * The first statements of a transaction that writes, sent as one message. `READ WRITE` is said only
 * where a role or a database defaults to read-only: a server that is read-only as a whole stays so.
 */
export function transactionHead(facts: SessionFacts, bounds: Bounds): string {
  const overrides = facts.readOnly && !isFenced(facts);
  return [
    `BEGIN ISOLATION LEVEL READ COMMITTED${overrides ? ' READ WRITE' : ''}`,
    'SET LOCAL search_path = pg_catalog',
    `SET LOCAL statement_timeout = ${bounds.statementMs}`,
    `SET LOCAL lock_timeout = ${bounds.lockMs}`,
    `SET LOCAL idle_in_transaction_session_timeout = ${bounds.idleMs}`,
    ...withoutTimeLimit(facts),
    "SET LOCAL datestyle = 'ISO, MDY'",
    "SET LOCAL intervalstyle = 'postgres'",
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL bytea_output = 'hex'",
    'SET LOCAL standard_conforming_strings = on',
    // An answer of 200 or DONE must survive a crash of the server. Any other level is the
    // operator's choice between standbys.
    ...(facts.asynchronous ? ['SET LOCAL synchronous_commit = on'] : []),
  ].join('; ');
}

/** The first statements of an export: one snapshot, also for functions that a view calls, and no limit. */
export function exportHead(facts: SessionFacts): string {
  return [
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY NOT DEFERRABLE',
    // A server's own limit would count the time in which we hold it back; silence is watched here.
    'SET LOCAL statement_timeout = 0',
    // Before and after the COPY. A process that is stopped there must not keep its snapshot.
    `SET LOCAL idle_in_transaction_session_timeout = ${IDLE_IN_EXPORT_MS}`,
    ...withoutTimeLimit(facts),
    "SET LOCAL lock_timeout = '30s'",
    // The index gives the order for nothing and the first rows at once; a sort would hold all of them.
    'SET LOCAL enable_sort = off',
    'SET LOCAL jit = off',
  ].join('; ');
}

/** The first statements of a backup: one snapshot of all tables, and no limit. */
export function snapshotHead(facts: SessionFacts): string {
  return [
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY NOT DEFERRABLE',
    'SET LOCAL search_path = pg_catalog',
    'SET LOCAL statement_timeout = 0',
    // Whatever the archive is written to may be slow.
    'SET LOCAL idle_in_transaction_session_timeout = 0',
    ...withoutTimeLimit(facts),
    "SET LOCAL lock_timeout = '30s'",
    "SET LOCAL datestyle = 'ISO, MDY'",
    "SET LOCAL bytea_output = 'hex'",
  ].join('; ');
}

/** PostgreSQL 17 can limit whole transactions. */
function withoutTimeLimit({ version }: SessionFacts): string[] {
  return version >= 170_000 ? ['SET LOCAL transaction_timeout = 0'] : [];
}
