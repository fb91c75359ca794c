/** Classifies errors of the database: lost connection, transient, conflict. */
import { findErrorCode } from '../errors.ts';

/**
 * SQLSTATEs that mean "not this server" or "not this session": connection errors, shutdown and
 * start-up, an administrator's terminate, too many connections, a server that became read-only, a
 * session that was ended for idling in a transaction or for a transaction that took too long.
 */
const SESSION_STATES = /^(08...|57P0[1-5]|53300|25006|25P0[34])$/;

/** The answer of a standby to `BEGIN READ WRITE`; its SQLSTATE alone could mean many things. */
const FEATURE_NOT_SUPPORTED = '0A000';
const IN_RECOVERY = /during recovery/;

const LINK_CODES = new Set([
  'ECONNABORTED',
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'EPROTO',
  'ETIMEDOUT',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
]);

/** Messages of pg and its pool that have no code. */
const LINK_MESSAGE =
  /Connection terminated|Client has encountered a connection error|Client was closed|establishing an SSL connection/i;
const NO_ANSWER_MESSAGE =
  /Query read timeout|timeout expired|connection timeout|timeout exceeded when trying to connect/i;

/** PostgreSQL canceled a statement: it took longer than its bound. */
export function isStatementTimeout(error: unknown): boolean {
  return findErrorCode(error) === '57014';
}

/** The server did not answer in time: asking again at once would only wait as long again. */
export function isNoAnswer(error: unknown): boolean {
  return error instanceof Error && NO_ANSWER_MESSAGE.test(error.message);
}

/**
 * No connection, or one that is gone, or a server that cannot do it while another one may: not the
 * fault of what was asked. The connection must not be used again.
 */
export function isConnectionLoss(error: unknown): boolean {
  const code = findErrorCode(error) ?? '';
  if (SESSION_STATES.test(code) || LINK_CODES.has(code) || isNoAnswer(error)) return true;
  if (!(error instanceof Error)) return false;
  return (
    LINK_MESSAGE.test(error.message) ||
    (code === FEATURE_NOT_SUPPORTED && IN_RECOVERY.test(error.message))
  );
}

/**
 * Tells whether an error during COMMIT leaves open whether the transaction held. An error of the statement
 * itself (a deferred constraint, a serialization failure, a server that is read-only) does not; a
 * lost link does, and so does a terminated session: it may have been waiting for a standby to confirm.
 */
export function leavesCommitOpen(error: unknown): boolean {
  return isConnectionLoss(error) && !/^(25006|25P0[34]|0A000)$/.test(findErrorCode(error) ?? '');
}

/**
 * Resources, time limits, conflicts, and what an operator is about to put right (a password, a missing
 * database): the same request may succeed later.
 */
const TRANSIENT_STATES = /^(53...|57014|55P03|40001|40P01|58...|28...|3D000|42501)$/;

/** Not the fault of what was asked, and likely to pass: worth asking again. */
export function isTransient(error: unknown): boolean {
  return isConnectionLoss(error) || TRANSIENT_STATES.test(findErrorCode(error) ?? '');
}

/**
 * Serialization failure, deadlock, a key that another transaction inserted first: the transaction did
 * nothing, and run again it sees what the other one did.
 */
export function isConflict(error: unknown): boolean {
  return ['40001', '40P01', '23505'].includes(findErrorCode(error) ?? '');
}

/**
 * A standby ended a statement, or a session, that kept it from replaying (PostgreSQL documentation, "Handling Query
 * Conflicts"). A statement that only reads has no other reason for a serialization failure, and a
 * deadlock is not its fault either. A database that was dropped (57P04) counts as a lost connection.
 */
export function isRecoveryConflict(error: unknown): boolean {
  return ['40001', '40P01'].includes(findErrorCode(error) ?? '');
}
