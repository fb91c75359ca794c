import type { ExportType } from '@tillroll/contract';

/** The purpose of a request. */
export type RequestKind = 'create' | 'read' | 'list' | 'availability' | 'file';

/**
 * Limits how often a fault strikes; without any of these, it always does. Faults `on` requests, and those of the
 * answer to a read, count requests; those of an export count exports as they are created.
 */
export interface When {
  /** Lets so many pass first. */
  after?: number;
  /** Strikes so many times, then no more. */
  times?: number;
  /** Strikes at each k-th (the k-th, the 2k-th, ...) of those left by `after`. */
  every?: number;
  /** `path`: counts apart for each path, such as "each file once". The query is not part of it. */
  per?: 'path';
  /** Only for exports of this type. */
  type?: ExportType;
  /** Only for the file at this place in its export, from 0. */
  position?: number;
}

export interface On extends When {
  on: RequestKind | readonly RequestKind[];
}

/** The place in an answer: before its first byte, inside of its headers, or after so many bytes of the body. */
export type Spot = 'before' | 'headers' | { bytes: number };

/** The header's value as it stands (`5`, `-1`, `999999999`, `'soon'`), or an HTTP date so many seconds ahead. */
export type RetryAfter = number | string | { dateIn: number };

/** Each fault with its own settings. All of it is JSON. */
export interface FaultKinds {
  // --- any answer -------------------------------------------------------------------------------

  /** Refuses: 503, 429, 5xx, 401, 404 ... with the body the contract has for it, unless another is given. */
  status: On & { status: number; retryAfter?: RetryAfter; details?: string; body?: string };
  /** Resets the connection (RST). What was asked for has been done: a create leaves an export behind. */
  reset: On & { at: Spot };
  /** Goes silent and keeps the connection. */
  stall: On & { at: Spot };
  /**
   * Sends the first bytes of the body only (of the bytes on the wire, so of the gzip if it is gzip).
   * `length`: `promised` says the full Content-Length and closes; `honest` says the short one;
   * `chunked` says none, and closes without the last chunk. Default `honest`.
   * `bytes` negative: leaves off so many at the end.
   */
  cut: On & { bytes: number; length?: 'promised' | 'honest' | 'chunked' };
  /** 200 with a page of HTML. */
  html: On & { contentType?: string };
  /**
   * `elsewhere`: to the second listener, which would answer, token or not; `same-host`: to the same
   * with another query, which works; `loop`: to itself for ever; or a Location as it stands.
   */
  redirect: On & {
    to: 'elsewhere' | 'same-host' | 'loop' | (string & {});
    status?: 301 | 302 | 303 | 307 | 308;
  };
  /** Waits before the answer, and sends its body slowly. */
  slow: On & { latencyMs?: number; bytesPerSecond?: number };
  /** A body that does not end: valid objects, or white space. Closes after `bytes` (1 GiB), to spare the disk. */
  endless: On & { how?: 'objects' | 'space'; bytes?: number };
  /** A gzip body of a few kB for each 64 MiB it inflates to; of `inflatedBytes` (4 GiB) in all. */
  bomb: On & { inflatedBytes?: number };
  /**
   * `gzip`: whether it is asked for or not; `gzip-unmarked`: without Content-Encoding; `marked-only`:
   * Content-Encoding alone; `gzip-cut`: the gzip ends too early, with a consistent length;
   * `gzip-tail`: something after its end; `unknown`: an encoding nobody knows.
   */
  encoding: On & {
    how: 'gzip' | 'gzip-unmarked' | 'marked-only' | 'gzip-cut' | 'gzip-tail' | 'unknown';
  };
  /** Its clock is off: the Date header, dated Retry-After, and every time of the fake server's own in its bodies. */
  clock: When & { offsetMs: number };

  // --- the answers of create and read -----------------------------------------------------------

  /**
   * Changes the export object: members set (at the end if they are new), members taken away
   * (`exportUrls` for DONE without URLs), or a member of so many bytes. `inStatus`: only in this status.
   */
  members: On & {
    set?: Record<string, unknown>;
    remove?: readonly string[];
    padBytes?: number;
    inStatus?: string;
  };
  /** Lists the files in another order; `files` goes along. `shuffled`: anew at each read. */
  order: When & { how: 'reversed' | 'shuffled' };
  /**
   * Writes URLs otherwise. `elsewhere`: on the second listener, which serves them; `userinfo`:
   * `http://name:word@host`; `relative`: without a host; `text`: something that is not a URL; the
   * others: of this scheme.
   */
  urls: When & {
    how: 'file' | 'ftp' | 'javascript' | 'data' | 'elsewhere' | 'userinfo' | 'relative' | 'text';
  };
  /** URLs of this read hold so long only, while the export lives on. Late: `status`, 403 or 410 (default). */
  urlsExpire: When & { ms: number; status?: 403 | 410 };
  /** Wrong entries in `files`, of the file at `at` or of all: another sum, counts off by so much, or entries missing. */
  manifest: When & {
    at?: number;
    sha256?: 'wrong' | 'uppercase' | 'garbage';
    objects?: number;
    bytes?: number;
    missing?: 'last' | 'all';
  };

  // --- the life of an export (decided as it is created) ----------------------------------------

  /** Never finishes. Default IN_PROGRESS. It goes on counting as open. */
  unfinished: When & { status?: 'PENDING' | 'IN_PROGRESS' };
  /** Ends as FAILED (default), CANCELED or any other status, with a failure object where the fake server is Tillroll. */
  failed: When & { status?: string; code?: string };
  /** 404 from the read on that follows so many. */
  forgotten: When & { reads: number };
  /** Its files are gone after so many of them have been sent: 410, and reads as DONE without URLs. */
  vanished: When & { downloads: number };

  // --- the objects of an export (decided as it is created) -------------------------------------

  /** `inclusive`: startTime <= t <= endTime; `exclusive-start`: startTime < t <= endTime. */
  bounds: When & { how: 'inclusive' | 'exclusive-start' };
  /** Objects at startTime exactly are `newer` or `older` here than elsewhere: `modifiedTime` is an hour off. */
  edge: When & { how: 'newer' | 'older' };
  /** Not ordered at all. */
  unsorted: When;
  /** The first object once more: at the end of its file, or in the last file; or the object before the range. */
  duplicate: When & { how: 'in-file' | 'across-files' | 'across-exports' };
  /** No objects: no file at all, or one file without any. */
  empty: When & { how?: 'no-file' | 'empty-file' };
  /** The object at `at` (0) has a note of so many bytes (5 MB). */
  huge: When & { at?: number; noteBytes?: number };
  /** The object at `at` (0) is not what it should be. */
  broken: When & { at?: number; how: Broken };

  // --- the files of an export (decided as it is created; `files` describes what is served) -----

  /** Writes the files of the export in another layout; see the names. */
  layout: When & { how: Layout };

  // --- a file on its way (`files` describes what it should have been) ---------------------------

  /** One digit of an amount is another: valid JSON of the same length. */
  altered: When;
  /**
   * `ignored`: the whole file, 200; `from-start`: 206 that starts at 0, and says so; `lying`: says
   * the part asked for, sends others; `refused`: 416; `changed`: another ETag each time.
   */
  range: When & { how: 'ignored' | 'from-start' | 'lying' | 'refused' | 'changed' };
  /** `weak`: the ETag of a file is a weak one, and `If-Range` is honoured all the same; `none`: it has none. */
  etag: When & { how: 'weak' | 'none' };
}

export type Broken =
  | 'no-id'
  | 'no-createdTime'
  | 'no-modifiedTime'
  | 'id-number'
  | 'id-empty'
  | 'id-path'
  | 'createdTime-string'
  | 'createdTime-far'
  | 'null'
  | 'number'
  | 'string'
  | 'array'
  /** A byte that is not UTF-8, in a note. */
  | 'invalid-utf8'
  /** A line break inside of a string, unescaped. */
  | 'raw-newline'
  /** 100,000 brackets deep. */
  | 'deep'
  /** Members called `__proto__` and `constructor`. */
  | 'proto'
  /** A brace is missing. */
  | 'unbalanced';

export type Layout =
  /** Line breaks and white space inside of the objects and between them. */
  | 'pretty'
  /** An object a line, lines ended by CR LF. */
  | 'lines'
  /** Members around `elements`. */
  | 'more-members'
  | 'bom'
  | 'no-end'
  | 'garbage-after'
  | 'two-documents'
  | 'trailing-comma'
  | 'bare-array'
  | 'other-member'
  | 'elements-object'
  | 'elements-twice'
  | 'nothing';

export type FaultName = keyof FaultKinds;
/** A fault, or several of a kind: the first that strikes is the one. */
export type Faults = { [N in FaultName]?: FaultKinds[N] | readonly FaultKinds[N][] };

/** The target of a fault. */
export interface Subject {
  kind: RequestKind;
  path: string;
  type?: ExportType | undefined;
  position?: number | undefined;
  /** The status of the export it shows. */
  inStatus?: string;
  /** Difference of the clock of the answer from the right time. */
  offsetMs: number;
  /** The names of those that did. */
  readonly struck: string[];
}

interface Count {
  seen: number;
  struck: number;
}

/** The faults that are set, and how often each has struck. */
export class FaultBook {
  #faults: Faults = {};
  #counts = new WeakMap<When, Map<string, Count>>();

  /** Replaces all faults and resets their counts. */
  set(faults: Faults): void {
    this.#faults = structuredClone(faults);
    this.#counts = new WeakMap();
  }

  /** Counts, and tells which fault of this name strikes now, if any. */
  strike<N extends FaultName>(name: N, subject: Subject): FaultKinds[N] | undefined {
    const set = this.#faults[name];
    const faults = (set === undefined ? [] : [set].flat()) as unknown as FaultKinds[N][];
    const striking = faults.find(
      (fault) => this.#concerns(fault, subject) && this.#isDue(fault, subject),
    );
    if (striking) subject.struck.push(name);
    return striking;
  }

  #concerns(fault: When & Partial<On> & { inStatus?: string }, subject: Subject): boolean {
    const { on = subject.kind, type = subject.type, position = subject.position } = fault;
    const { inStatus = subject.inStatus } = fault;
    return (
      [on].flat().includes(subject.kind) &&
      type === subject.type &&
      position === subject.position &&
      inStatus === subject.inStatus
    );
  }

  #isDue(fault: When, subject: Subject): boolean {
    const key = fault.per === 'path' ? subject.path : '';
    const counts = this.#counts.get(fault) ?? new Map<string, Count>();
    this.#counts.set(fault, counts);
    const count = counts.get(key) ?? { seen: 0, struck: 0 };
    counts.set(key, count);
    count.seen++;
    const number = count.seen - (fault.after ?? 0);
    const isDue =
      number > 0 && number % (fault.every ?? 1) === 0 && count.struck < (fault.times ?? Infinity);
    if (isDue) count.struck++;
    return isDue;
  }
}
