/**
 * Bounds on what one peer can make this process hold. Above each of them the answer is quick, small and
 * says when to try again. Times are milliseconds, sizes are bytes.
 */

/**
 * Requests that one connection may have under way. Clients that pipeline send a handful; a connection
 * that sends thousands is not waiting for answers.
 */
export const MAX_REQUESTS_PER_CONNECTION = 16;

/** Connections and requests that are begun in one turn of the event loop; fewer after a long turn. */
export const MAX_STARTS_PER_TURN = 32;
export const MIN_STARTS_PER_TURN = 4;
export const LONG_TURN_MS = 10;

/** After a connection sent too many requests: the time its earlier answers have to be taken. */
export const REFUSED_CONNECTION_MS = 10_000;

/** Connections that are being refused and still get an answer; further ones are reset without one. */
export const MAX_REFUSALS_UNDER_WAY = 256;

/** The time a refused connection has to read its answer. */
export const REFUSAL_MS = 1_000;

/** Names, values and the request line together. Node's own default, named because clients rely on it. */
export const MAX_HEADER_BYTES = 16 * 1024;

/** Browsers behind two proxies send about 40 header fields. */
export const MAX_HEADER_FIELDS = 100;

/** From the connection, or the first byte of a further request on it, to the last header byte. */
export const HEADERS_MS = 10_000;

/** Interval at which Node looks for connections that exceed `HEADERS_MS`, and so its precision. */
export const CONNECTIONS_CHECK_MS = 2_000;

/** A whole request, upload included. A body that stalls is given up long before. */
export const REQUEST_MS = 60 * 60_000;

/** Longer than the 60 s that proxies keep idle connections, so that the proxy closes first. */
export const KEEP_ALIVE_MS = 65_000;

/** Requests that wait for the database: more than that, and waiting would take longer than asking again. */
export const MAX_WAITING_REQUESTS = 512;
/** Polls under way: as many as one statement answers. */
export const MAX_POLLS_AT_ONCE = 64;
export const REQUEST_WAIT_MS = 5_000;

/** The body of a create, a few hundred bytes, from the first read to the last byte. */
export const SMALL_BODY_MS = 15_000;

/**
 * Parts (HTTP chunks) of a body below 1 KiB, beside one for each `BYTES_PER_SMALL_PART`. Each costs
 * 3 us of the loop, however small it is: a body in chunks of one byte takes ten times the time of
 * inflating it.
 */
export const MAX_SMALL_PARTS = 1_024;
export const BYTES_PER_SMALL_PART = 64;

/** From the last byte written by a handler to the last byte taken by the peer. */
export const ANSWER_MS = 60_000;

/** The same for a body that is not wanted, such as one without a good token. */
export const MAX_UNWANTED_SMALL_PARTS = 64;

/** A rest of a body of at most this size is read and dropped to keep the connection. */
export const MAX_DROPPED_BYTES = 64 * 1024;

/**
 * A larger rest, or one of unknown size: read and dropped up to this size, so that a sender that writes
 * its whole body first can still read the answer. Then the connection is reset.
 */
export const MAX_LINGER_BYTES = 16 * 1024 * 1024;

/** The time the rest of a body has to arrive once the answer is decided. */
export const REST_MS = 10_000;

/** Header values longer than these are not ones that this service understands. */
export const MAX_ACCEPT_ENCODING_BYTES = 1_024;
export const MAX_RANGE_BYTES = 128;
export const MAX_ETAGS_BYTES = 4_096;
export const MAX_TOKEN_BYTES = 8 * 1024;

/** Addresses in `X-Forwarded-For` that are looked at, from the right: proxies are rarely more than three. */
export const MAX_FORWARDED_HOPS = 16;

/**
 * Lines in the log about requests of strangers (neither a token nor a signature was found good): at
 * once, and then in each second. What is left out is counted. Others have one line a request.
 */
export const STRANGER_LINES = { burst: 100, perSecond: 10 } as const;

/** Lines about each kind of overload. */
export const OVERLOAD_LINES = { burst: 1, perSecond: 1 } as const;
