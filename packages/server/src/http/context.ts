import type { ServerResponse } from 'node:http';
import type { Principal } from '../access/installs.ts';
import type { Cidr } from '../config/parsers.ts';
import type { ExportType } from '@tillroll/contract';
import type { Pool } from '../database/pool.ts';
import type { CreateRules } from '../exports/create.ts';
import type { Cursors } from '../exports/cursor.ts';
import type { PollReader } from '../exports/poll.ts';
import type { ObjectMeasure, ObjectRange } from '../exports/preview.ts';
import type { ExportWatch } from '../exports/watch.ts';
import type { ExportQueue } from '../exports/queue.ts';
import type { Loader } from '../ingest/load.ts';
import type { Logger } from '../log.ts';
import type { Observer } from '../observer.ts';
import type { ReceiptSigner } from '../receipts/signer.ts';
import type { PresignFile } from '../storage/open.ts';
import type { UrlSigner } from '../storage/signature.ts';
import type { Storage } from '../storage/storage.ts';
import type { ConnectionLimits } from './connections.ts';
import type { RateLimits } from './rate-limits.ts';
import type { Turns } from './turns.ts';

/** The context of the routes, made by the composition root. */
export interface HttpContext {
  readonly pool: Pool;
  /** Turns at `pool`. See `inTurn`. */
  readonly turns: Turns;
  /** Reads exports for polls, from `pool`. */
  readonly polls: PollReader;
  /** The requests that wait for exports. */
  readonly watch: ExportWatch;
  /** Signs receipts. */
  readonly receipts: ReceiptSigner;
  /** Makes and reads cursors of changes. */
  readonly cursors: Cursors;
  /** Tells whether the source of the exports knows what changed. */
  readonly hasChanges: (type: ExportType) => Promise<boolean>;
  /** Counts the objects that an export would hold, in at most `boundMs`. @throws Unavailable */
  readonly measure: (selection: ObjectRange, boundMs: number) => Promise<ObjectMeasure>;
  /** Checks uploads on threads and merges them over connections of its own. */
  readonly loader: Loader;
  readonly queue: ExportQueue;
  readonly storage: Storage;
  /** Makes the URL to which a download may be redirected; null: they are all answered here. */
  readonly presign: PresignFile | null;
  readonly signer: UrlSigner;
  readonly rules: CreateRules;
  /** The address clients use, without a trailing slash. Known once the server listens. */
  readonly publicUrl: () => string;
  /** Null: requests are not limited by their number. */
  readonly rateLimits: RateLimits | null;
  readonly connections: ConnectionLimits;
  /** Whose `X-Forwarded-For` counts. */
  readonly trustedProxies: readonly Cidr[];
  readonly log: Logger;
  readonly observer: Observer;
  /** PostgreSQL's clock, epoch milliseconds, without asking it. */
  readonly now: () => number;
  /** Tells whether the last checks of what the service needs were good. Answers at once. */
  readonly isReady: () => boolean;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set once the token was found good. */
    principal: Principal | null;
    /** Its token was found good lately, or its signature now: it does not wait behind strangers. */
    isKnown: boolean;
    /** The export that the request is about, for the log. */
    exportId: string | null;
    /** The reason why the request was refused, for the log. */
    refusal: string | null;
    /** Ends its count among the requests at the same time; null while it is not counted. */
    stopCounting: (() => void) | null;
    /** Its answer, as Node has it. */
    response: ServerResponse | null;
    /** True when it was refused because too much else is under way. */
    overloaded: boolean;
  }
  interface FastifyContextConfig {
    /** True when the route answers without authentication: OPTIONS and 405. */
    isForAnyone?: boolean;
  }
}
