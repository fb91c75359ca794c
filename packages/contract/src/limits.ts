/** The numbers of the contract. Times are milliseconds unless a name says otherwise. */

export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** A request may span 30 days exactly; one millisecond more is refused. */
export const MAX_RANGE_MS = 30 * DAY_MS;

/** Objects in each file of an export unless asked otherwise; only the last file may hold fewer. */
export const OBJECTS_PER_FILE = 1000;
/** The most objects that a file can be asked to hold. */
export const MAX_OBJECTS_PER_FILE = 1_000_000;

/** The time for which the files of a finished export can be downloaded. */
export const RETENTION_MS = 24 * HOUR_MS;

/** The largest instant ECMAScript's Date can hold, and so the largest `startTime` or `endTime`. */
export const MAX_TIME_MS = 8_640_000_000_000_000;

/**
 * The last instant that an object may carry, the end of the year 9999: ISO 8601 and the columns of
 * every format end there.
 */
export const MAX_OBJECT_TIME_MS = 253_402_300_799_999;

/** Page sizes of the list of exports. */
export const LIST_LIMIT_DEFAULT = 100;
export const LIST_LIMIT_MAX = 1000;

/** Bulk loading: bytes of one line, and of a whole body after inflating. */
export const MAX_LINE_BYTES = 8 * 1024 * 1024;
export const MAX_BODY_BYTES = 4 * 1024 * 1024 * 1024;
/**
 * The deepest nesting of an object, itself included. Clients take 512 levels (PHP's `json_decode`, our
 * own), and a file puts two more around each object.
 */
export const MAX_OBJECT_DEPTH = 500;

/** The longest time that a read may be asked to wait, seconds. */
export const MAX_WAIT_S = 60;
/** Characters of an `Idempotency-Key`, visible ASCII. */
export const MAX_IDEMPOTENCY_KEY_LENGTH = 255;
/** The time for which the answer to a create with a key is kept. */
export const IDEMPOTENCY_MS = 24 * HOUR_MS;
