/** Every metric of ours: name, kind, help and labels. */
/** One metric of ours, by the conventions of Prometheus: the unit is in the name, and it is the base unit. */
export interface Definition {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Each label and its values, for people. A label has few values: never a merchant, an export or a path. */
  readonly labels: Readonly<Record<string, string>>;
  /** Upper bounds of a histogram, seconds. */
  readonly buckets?: readonly number[];
}

const STEP_S = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];
const CALL_S = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60];
const REQUEST_S = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

const POOL = '`requests`, `exports`, `loads`, `queue`, `checks`';

/** Every metric of ours. The list in docs/operating.md follows from it. */
export const CATALOGUE = {
  ready: {
    name: 'tillroll_ready',
    kind: 'gauge',
    help: 'Result of the last checks of the database and the store, as /ready answers it: 1 or 0.',
    labels: {},
  },
  workerUp: {
    name: 'tillroll_worker_up',
    kind: 'gauge',
    help: 'Whether the worker process of all answered this scrape: 1 or 0. Only where all runs it as a child process.',
    labels: {},
  },
  exportsCreated: {
    name: 'tillroll_exports_created_total',
    kind: 'counter',
    help: 'Exports created.',
    labels: { type: '`ORDERS`, `PAYMENTS`' },
  },
  exportsFinished: {
    name: 'tillroll_exports_finished_total',
    kind: 'counter',
    help: 'Exports that ended by themselves. Those that were canceled do not count.',
    labels: { outcome: '`done`, `failed`', reason: 'the failure code; `none` when it is done' },
  },
  exportRetries: {
    name: 'tillroll_export_retries_total',
    kind: 'counter',
    help: 'Attempts that ended before their export did.',
    labels: {
      reason:
        'the failure code, if it had been the last try; `shutdown`, `lost`: interruptions; `superseded`: canceled, or taken over; `unrecorded`: the database could not be told',
    },
  },
  stepSeconds: {
    name: 'tillroll_export_step_seconds',
    kind: 'histogram',
    help: 'Time of each step of an attempt. The waits for rows and for files are summed up over the attempt.',
    labels: { step: '`claim`, `read` (waiting for rows), `write` (compress and store), `commit`' },
    buckets: STEP_S,
  },
  objectsRead: {
    name: 'tillroll_read_objects_total',
    kind: 'counter',
    help: 'Objects that exports read from the database.',
    labels: {},
  },
  bytesRead: {
    name: 'tillroll_read_bytes_total',
    kind: 'counter',
    help: 'Bytes of those objects, uncompressed.',
    labels: {},
  },
  queueJobs: {
    name: 'tillroll_queue_jobs',
    kind: 'gauge',
    help: 'Jobs that run exports, over all processes.',
    labels: { state: '`due` (may be taken now), `delayed` (waits for its next try), `running`' },
  },
  queueOldest: {
    name: 'tillroll_queue_oldest_job_age_seconds',
    kind: 'gauge',
    help: 'Time since the job that waits for a worker the longest became due, over all processes; 0 when none waits.',
    labels: {},
  },
  openExports: {
    name: 'tillroll_open_exports',
    kind: 'gauge',
    help: 'Exports that have not ended, over all processes.',
    labels: { status: '`PENDING`, `IN_PROGRESS`' },
  },
  openExportsOldest: {
    name: 'tillroll_open_exports_oldest_age_seconds',
    kind: 'gauge',
    help: 'Time since the oldest of them was created; 0 when there is none.',
    labels: {},
  },
  storageSeconds: {
    name: 'tillroll_storage_call_seconds',
    kind: 'histogram',
    help: 'Time of the calls of the store; of a read until its first bytes, of a write with the wait for its content.',
    labels: {
      operation: '`write`, `sync`, `read`, `remove`, `list`, `identity`, `check`',
      result: '`ok`, `missing` (no such file), `aborted` (by us), `error`',
    },
    buckets: CALL_S,
  },
  requestSeconds: {
    name: 'tillroll_http_request_seconds',
    kind: 'histogram',
    help: 'Time of the requests to the API, until the answer was sent or its caller left.',
    labels: {
      route: "the route's pattern; `none`: there is no such resource",
      method: '`GET`, `HEAD`, `POST`, `OPTIONS`, `other`',
      status: 'the HTTP status; `none`: the caller left before there was one',
    },
    buckets: REQUEST_S,
  },
  authenticationFailures: {
    name: 'tillroll_authentication_failures_total',
    kind: 'counter',
    help: 'Requests whose token or signed URL was refused.',
    labels: {
      reason: '`token missing`, `token unknown` and so on, as in the log; `signature wrong`',
    },
  },
  openDownloads: {
    name: 'tillroll_open_downloads',
    kind: 'gauge',
    help: 'Downloads that are open in this process, of 64 at most.',
    labels: {},
  },
  downloads: {
    name: 'tillroll_downloads_total',
    kind: 'counter',
    help: 'Downloads that ended.',
    labels: {
      result: '`complete`; `cut`: before its end; `redirected`: to the S3 server, which serves it',
    },
  },
  objectsServed: {
    name: 'tillroll_served_objects_total',
    kind: 'counter',
    help: 'Objects of files that were sent whole.',
    labels: {},
  },
  bytesServed: {
    name: 'tillroll_served_bytes_total',
    kind: 'counter',
    help: 'Bytes of downloads as sent, whole or not, with their headers.',
    labels: {},
  },
  openUploads: {
    name: 'tillroll_open_uploads',
    kind: 'gauge',
    help: 'Uploads that are read, checked or stored in this process, of TILLROLL_MAX_UPLOADS at most.',
    labels: {},
  },
  poolConnections: {
    name: 'tillroll_pool_connections',
    kind: 'gauge',
    help: 'Connections to the database.',
    labels: { pool: POOL, state: '`used`, `idle`' },
  },
  poolMax: {
    name: 'tillroll_pool_max_connections',
    kind: 'gauge',
    help: 'The most connections that the pool opens.',
    labels: { pool: POOL },
  },
  poolWaiting: {
    name: 'tillroll_pool_waiting',
    kind: 'gauge',
    help: 'Callers that wait for a connection.',
    labels: { pool: POOL },
  },
  poolAsked: {
    name: 'tillroll_pool_requests_total',
    kind: 'counter',
    help: 'Connections that were asked for.',
    labels: { pool: POOL },
  },
  poolWaited: {
    name: 'tillroll_pool_wait_seconds_total',
    kind: 'counter',
    help: 'Time that their callers waited for them.',
    labels: { pool: POOL },
  },
} as const satisfies Record<string, Definition>;

export type MetricKey = keyof typeof CATALOGUE;

/** The list of docs/operating.md. */
export function metricsTable(): string {
  const rows = Object.values<Definition>(CATALOGUE).map(({ name, kind, help, labels }) => {
    const listed = Object.entries(labels).map(([label, values]) => `\`${label}\`: ${values}`);
    return `| \`${name}\` | ${kind} | ${[help, ...listed].join('<br>')} |`;
  });
  return ['| metric | kind | |', '|---|---|---|', ...rows].join('\n');
}
