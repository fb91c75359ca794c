import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { DAY_MS, parseHours, RETENTION_MS, type ExportType } from '@tillroll/contract';
import type { Answer } from './answer.ts';
import { selfSigned } from './certificate.ts';
import { generate, Shelf } from './data.ts';
import { Exports, type FakeExport, type Ready } from './exports.ts';
import { FaultBook, type Faults, type Subject } from './faults.ts';
import { isMarked, redirected, refused, withoutMark } from './detour.ts';
import { FileAddresses, fileAt } from './files.ts';
import { answerTo, findRoute, type Call, type World } from './routes.ts';
import type { RequestRecord } from './requests.ts';
import { send } from './send.ts';
import { inTransit } from './transit.ts';

export interface FakeServerOptions {
  /** Number of orders to generate; default 0. */
  orders?: number;
  payments?: number;
  /** Objects as JSON texts, instead of generated ones. */
  objects?: Partial<Record<ExportType, readonly string[]>>;
  /** Span of the generated objects, epoch ms; default the 60 days from 2026-01-01. */
  from?: number;
  to?: number;
  /** Default 1. The same seed and counts make the same objects. */
  seed?: number;
  /** True when it has the additions of Tillroll to Clover: `files`, Range, ETag, the list, availability. Default true. */
  tillroll?: boolean;
  /** True when files are compressed for a client that accepts it. Default true. */
  gzip?: boolean;
  faults?: Faults;
  /** Default 1000, as in the contract. */
  perFile?: number;
  /** Default `{ polls: 2 }`: the first read sees PENDING, the second IN_PROGRESS, the third DONE. */
  ready?: Ready;
  /** Default 24 h. */
  retentionMs?: number;
  /** Exports open at once; default 2. */
  maxOpen?: number;
  /** `Retry-After` of the 503 for too many open exports, seconds; default 1. */
  retryAfterSeconds?: number;
  /** Hours in the form that `parseHours` takes; default `always`. */
  hours?: string;
  /** Region that availability tells; default `sandbox`. */
  region?: string;
  token?: string;
  merchant?: string;
  /** A path before `/v3`, such as `/exports-api`. */
  basePath?: string;
  /** With a certificate of its own: see `certificate`. */
  https?: boolean;
  /** Default: any free one. */
  port?: number;
}

const CONTROL = '/.fake-server/';

/** A server for a client to talk to: the export API over objects of its own, with the faults that are asked for. */
export class FakeServer implements AsyncDisposable {
  readonly requests: RequestRecord[] = [];
  /** PEM, for `tls.setDefaultCACertificates` or NODE_EXTRA_CA_CERTS; only with `https`. */
  readonly certificate: string | undefined;
  readonly #world: World;
  readonly #shelves: Record<ExportType, Shelf>;
  readonly #faults = new FaultBook();
  readonly #basePath: string;
  readonly #main: http.Server;
  readonly #elsewhere: http.Server;
  readonly #closing = new AbortController();
  readonly #began = performance.now();

  constructor(options: FakeServerOptions = {}) {
    const { orders = 0, payments = 0, objects, tillroll = true, merchant = 'M1', ready } = options;
    const { from = Date.UTC(2026, 0, 1), to = from + 60 * DAY_MS, seed = 1 } = options;
    const made = generate({ orders, payments }, { startTime: from, endTime: to }, seed);
    this.#shelves = {
      ORDERS: new Shelf(objects?.ORDERS ?? made.ORDERS),
      PAYMENTS: new Shelf(objects?.PAYMENTS ?? made.PAYMENTS),
    };
    this.#basePath = options.basePath ?? '';
    this.#world = {
      token: options.token ?? 'fake-server-token',
      merchant,
      tillroll,
      gzip: options.gzip ?? true,
      maxOpen: options.maxOpen ?? 2,
      retryAfterSeconds: options.retryAfterSeconds ?? 1,
      region: options.region ?? 'sandbox',
      exports: new Exports(this.#shelves, {
        ready: ready ?? { polls: 2 },
        perFile: options.perFile ?? 1000,
        retentionMs: options.retentionMs ?? RETENTION_MS,
        merchant,
        tillroll,
      }),
      addresses: new FileAddresses(),
      faults: this.#faults,
      hours: parseHours(options.hours ?? 'always'),
      url: '',
      elsewhereUrl: '',
    };
    this.#faults.set(options.faults ?? {});
    const credentials = options.https ? selfSigned() : undefined;
    this.certificate = credentials?.cert;
    // A connection that is kept must not be closed just as the client uses it again.
    const kept = { keepAliveTimeout: 60_000 };
    const onMain = this.#listener('main');
    this.#main = credentials
      ? https.createServer({ ...kept, ...credentials }, onMain)
      : http.createServer(kept, onMain);
    this.#elsewhere = http.createServer(kept, this.#listener('elsewhere'));
  }

  async listen(port = 0): Promise<this> {
    this.#main.listen(port, '127.0.0.1');
    this.#elsewhere.listen(0, '127.0.0.1');
    await Promise.all([once(this.#main, 'listening'), once(this.#elsewhere, 'listening')]);
    const origin = (server: http.Server): string =>
      `127.0.0.1:${(server.address() as AddressInfo).port}${this.#basePath}`;
    this.#world.url = `${this.certificate === undefined ? 'http' : 'https'}://${origin(this.#main)}`;
    this.#world.elsewhereUrl = `http://${origin(this.#elsewhere)}`;
    return this;
  }

  /** Without a slash at its end. */
  get url(): string {
    return this.#world.url;
  }

  /** The second listener: always http, answers without a token, and is never redirected. */
  get elsewhereUrl(): string {
    return this.#world.elsewhereUrl;
  }

  get token(): string {
    return this.#world.token;
  }

  get merchant(): string {
    return this.#world.merchant;
  }

  /** Oldest first. */
  get exports(): readonly FakeExport[] {
    return this.#world.exports.all;
  }

  /** Replaces all faults. Exports that are there keep what was decided as they were created. */
  set(faults: Faults): void {
    this.#faults.set(faults);
  }

  /** @param text as in `parseHours`: `always`, `never`, `daily 10:00-15:00`. */
  setHours(text: string): void {
    this.#world.hours = parseHours(text);
  }

  /** Adds objects to the source, or replaces those of the same id; exports that are there keep theirs. */
  put(type: ExportType, texts: readonly string[]): void {
    this.#shelves[type].put(texts);
  }

  /** The objects of the source with `from <= createdTime < to`, in the order of the contract. */
  objects(type: ExportType, from = 0, to = Infinity): string[] {
    return this.#shelves[type].between(from, to).map(({ text }) => text);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(
      [this.#main, this.#elsewhere].map(async (server) => {
        if (!server.listening) return;
        const closed = once(server, 'close');
        server.close();
        server.closeAllConnections();
        await closed;
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #listener(place: RequestRecord['place']): http.RequestListener {
    return (request, response) => {
      this.#handle(place, request, response).catch((error: unknown) => {
        // Not an answer that was asked for: it must be seen.
        if (!this.#closing.signal.aborted && !request.destroyed)
          console.error('fake server:', error);
        response.destroy();
      });
    };
  }

  async #handle(
    place: RequestRecord['place'],
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<void> {
    const { method = 'GET', headers } = request;
    const raw = request.url ?? '/';
    const at = performance.now() - this.#began;
    const body = await buffer(request);
    if (raw.startsWith(CONTROL)) return this.#control(raw.slice(CONTROL.length), body, response);

    const isBased = raw.startsWith(this.#basePath);
    const own = withoutMark(raw.slice(this.#basePath.length));
    const url = new URL(isBased ? own : '/', 'http://fake.test');
    const route = findRoute(url.pathname, this.#world.tillroll);
    const kind = route?.kind === 'create' && method === 'GET' ? 'list' : route?.kind;
    const of = fileAt(this.#world.exports, url.pathname);
    const read =
      route?.exportId === undefined ? undefined : this.#world.exports.find(route.exportId);
    const struck: string[] = [];
    const subject: Subject = {
      kind: kind ?? 'read',
      path: url.pathname,
      type: (of.file ?? read)?.request.type ?? typeIn(body),
      position: of.position,
      offsetMs: 0,
      struck,
    };
    const record: RequestRecord = {
      at,
      place,
      kind: kind ?? 'unknown',
      method,
      path: raw.split('?')[0] ?? raw,
      status: 0,
      exportId: (of.file ?? read)?.id,
      type: subject.type,
      position: of.position,
      ...(kind === 'create' ? { body: body.toString('utf8') } : {}),
      authorization: headers.authorization !== undefined,
      tokenSeen: [raw, JSON.stringify(headers), body.toString('latin1')].some((text) =>
        text.includes(this.token),
      ),
      range: headers.range,
      acceptEncoding: headers['accept-encoding'] as string | undefined,
      headers,
      faults: struck,
      bytesSent: 0,
    };
    this.requests.push(record);

    const faults = kind === undefined ? new FaultBook() : this.#faults;
    subject.offsetMs = faults.strike('clock', subject)?.offsetMs ?? 0;
    const isElsewhere = place === 'elsewhere';
    const call: Call = { method, url, target: own, headers, body, subject, isElsewhere };
    const mayGo = !isElsewhere && !isMarked(raw);
    const answer =
      refused(faults, subject) ??
      (mayGo ? this.#detour(raw, subject) : undefined) ??
      inTransit(answerTo(call, route, this.#world), faults, subject);
    response.setHeader('date', new Date(Date.now() + subject.offsetMs).toUTCString());
    record.status = answer.status;
    const onBytes = (count: number): void => void (record.bytesSent += count);
    record.outcome = await send(response, answer, faults, subject, onBytes, this.#closing.signal);
    record.endedAt = performance.now() - this.#began;
  }

  #detour(raw: string, subject: Subject): Answer | undefined {
    const main = new URL(this.url).origin;
    const elsewhere = new URL(this.elsewhereUrl).origin;
    return redirected(raw, { main, elsewhere }, this.#faults, subject);
  }

  /** Answers tests that run the server as a process: see main.ts. */
  async #control(name: string, body: Buffer, response: http.ServerResponse): Promise<void> {
    const text = body.toString('utf8');
    const [what, type] = name.split('/');
    let answer: unknown = null;
    if (what === 'requests') answer = this.requests;
    if (what === 'faults') this.set(JSON.parse(text) as Faults);
    if (what === 'hours') this.setHours(text);
    if (what === 'objects' && text !== '') {
      this.put(type as ExportType, text.split('\n').filter(Boolean));
    } else if (what === 'objects') answer = this.objects(type as ExportType);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer));
  }
}

function typeIn(body: Buffer): ExportType | undefined {
  const [, type] = /"type"\s*:\s*"(ORDERS|PAYMENTS)"/.exec(body.toString('latin1')) ?? [];
  return type as ExportType | undefined;
}

export async function startFakeServer(options: FakeServerOptions = {}): Promise<FakeServer> {
  return new FakeServer(options).listen(options.port);
}
