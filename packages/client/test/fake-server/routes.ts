import {
  EXPORT_ID,
  hoursInWords,
  isOpen,
  LIST_LIMIT_DEFAULT,
  LIST_LIMIT_MAX,
  nextClose,
  nextOpen,
  parseExportRequest,
  SECOND_MS,
  shown,
  type ExportObject,
  type Hours,
} from '@tillroll/contract';
import type { IncomingHttpHeaders } from 'node:http';
import { exportNotFound, json, refusal, type Answer } from './answer.ts';
import type { Exports, FakeExport } from './exports.ts';
import { FaultBook, type FaultKinds, type RequestKind, type Subject } from './faults.ts';
import { fileAnswer, FILES, type FileAddresses } from './files.ts';

/** A request as the routes see it. */
export interface Call {
  method: string;
  /** Without the base path. */
  url: URL;
  /** Path and query, without the base path and without marks of our own. */
  target: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  subject: Subject;
  /** The listener for what should not have come: it asks for no token. */
  isElsewhere: boolean;
}

export interface World {
  readonly token: string;
  readonly merchant: string;
  readonly tillroll: boolean;
  readonly gzip: boolean;
  readonly maxOpen: number;
  readonly retryAfterSeconds: number;
  readonly region: string;
  readonly exports: Exports;
  readonly addresses: FileAddresses;
  readonly faults: FaultBook;
  hours: Hours;
  url: string;
  elsewhereUrl: string;
}

const MAX_BODY_BYTES = 64 * 1024;

type Route = { kind: RequestKind; methods: readonly string[]; exportId?: string };

/** Finds the purpose of an address; undefined when there is nothing at it. */
export function findRoute(path: string, tillroll: boolean): Route | undefined {
  if (path.startsWith(FILES)) return { kind: 'file', methods: ['GET', 'HEAD'] };
  if (path === '/v3/availability' && tillroll) return { kind: 'availability', methods: ['GET'] };
  const [, owner, exportId] =
    /^\/v3\/merchants\/([A-Za-z0-9_-]{1,64})\/exports(?:\/([^/]+))?\/?$/.exec(path) ?? [];
  if (owner === undefined) return undefined;
  if (exportId !== undefined) return { kind: 'read', methods: ['GET'], exportId };
  return { kind: 'create', methods: tillroll ? ['POST', 'GET'] : ['POST'] };
}

function isAuthorized({ headers, url, isElsewhere }: Call, { token, merchant }: World): boolean {
  if (isElsewhere) return true;
  const sent = headers.authorization ?? `Bearer ${url.searchParams.get('access_token')}`;
  return sent === `Bearer ${token}` && url.pathname.startsWith(`/v3/merchants/${merchant}/`);
}

function fileUrl(target: string, how: FaultKinds['urls']['how'] | undefined, world: World): string {
  const [scheme, rest] = world.url.split('://');
  switch (how) {
    case undefined:
      return world.url + target;
    case 'file':
      return 'file:///etc/passwd';
    case 'ftp':
      return `ftp://127.0.0.1${target}`;
    case 'javascript':
      return 'javascript:alert(1)';
    case 'data':
      return 'data:application/json,{"elements":[]}';
    case 'elsewhere':
      return world.elsewhereUrl + target;
    case 'userinfo':
      return `${scheme}://somebody:word@${rest}${target}`;
    case 'relative':
      return new URL(world.url + target).pathname + new URL(world.url + target).search;
    case 'text':
      return 'no URL at all';
  }
}

/** The export object, with what the faults make of it. */
function shown200(one: FakeExport, call: Call, world: World): Answer {
  const { faults } = world;
  const { subject } = call;
  const hasUrls = subject.kind === 'read' && one.hasFiles;
  const how = hasUrls ? faults.strike('urls', subject)?.how : undefined;
  const early = hasUrls ? faults.strike('urlsExpire', subject) : undefined;
  const shownObject = one.show(
    (position) => fileUrl(world.addresses.mint(one, position, early), how, world),
    faults,
    subject,
  );
  return json(200, changed(shownObject, faults, subject));
}

function changed(shownObject: ExportObject, faults: FaultBook, subject: Subject): unknown {
  const object: Record<string, unknown> = { ...shownObject };
  const members = faults.strike('members', { ...subject, inStatus: shownObject.status });
  if (!members) return object;
  Object.assign(object, members.set);
  for (const name of members.remove ?? []) delete object[name];
  if (members.padBytes !== undefined) object['padding'] = 'x'.repeat(members.padBytes);
  return object;
}

function create(call: Call, world: World): Answer {
  const { exports, faults, hours } = world;
  let body: unknown;
  try {
    body = JSON.parse(call.body.toString('utf8'));
  } catch {
    return refusal(400, `the body is not valid JSON; got ${shown(call.body.toString('utf8'))}`);
  }
  const wanted = parseExportRequest(body);
  if (!wanted.ok) return refusal(400, wanted.details);
  const now = Date.now();
  if (!isOpen(hours, now)) {
    const opens = nextOpen(hours, now);
    const after: Record<string, string> =
      opens === null ? {} : { 'retry-after': String(Math.ceil((opens - now) / SECOND_MS)) };
    return refusal(503, `Exports can be created ${hoursInWords(hours)}`, after);
  }
  if (exports.open >= world.maxOpen) {
    return refusal(503, `There may be ${world.maxOpen} open exports at once`, {
      'retry-after': String(world.retryAfterSeconds),
    });
  }
  call.subject.type = wanted.value.type;
  return shown200(exports.create(wanted.value, faults, call.subject), call, world);
}

function read(one: FakeExport | undefined, call: Call, world: World): Answer {
  if (!one || one.isForgotten) return exportNotFound();
  const answer = shown200(one, call, world);
  one.reads++;
  return answer;
}

function list(call: Call, world: World): Answer {
  const number = (name: string, usual: number): number =>
    Number(call.url.searchParams.get(name) ?? usual);
  const limit = number('limit', LIST_LIMIT_DEFAULT);
  const offset = number('offset', 0);
  if (
    !Number.isInteger(limit) ||
    limit < 1 ||
    limit > LIST_LIMIT_MAX ||
    !Number.isInteger(offset)
  ) {
    return refusal(400, `limit must be from 1 to ${LIST_LIMIT_MAX}, offset a whole number`);
  }
  const honest = new FaultBook();
  const page = world.exports.all.toReversed().slice(offset, offset + limit);
  return json(200, {
    elements: page.map((one) =>
      one.show((n) => world.url + world.addresses.mint(one, n), honest, call.subject),
    ),
    href: `${world.url}${call.url.pathname}?limit=${limit}&offset=${offset}`,
  });
}

function availability({ subject }: Call, { hours, region }: World): Answer {
  const now = Date.now();
  const shifted = (time: number | null): number | null =>
    time === null ? null : time + subject.offsetMs;
  return json(200, {
    open: isOpen(hours, now),
    region,
    hours: hoursInWords(hours),
    nextOpen: shifted(nextOpen(hours, now)),
    nextClose: shifted(nextClose(hours, now)),
  });
}

function file(call: Call, world: World): Answer {
  const located = world.addresses.locate(call.target);
  return 'status' in located
    ? located
    : fileAnswer(located, call.headers, world, world.faults, call.subject);
}

/** The honest answer: what the contract says, over exports that may have faults of their own. */
export function answerTo(call: Call, route: Route | undefined, world: World): Answer {
  if (!route) return refusal(404, 'There is no such resource');
  if (!route.methods.includes(call.method)) {
    const allow = route.methods.join(', ');
    return refusal(405, `${call.method} is not allowed here; allowed: ${allow}`, { allow });
  }
  if (call.body.length > MAX_BODY_BYTES) return refusal(413, 'The body is larger than 64 KiB');
  if (route.kind === 'file') return file(call, world);
  if (route.kind === 'availability') return availability(call, world);
  if (!isAuthorized(call, world)) return refusal(401);
  if (route.exportId !== undefined) {
    const isId = EXPORT_ID.test(route.exportId);
    return read(isId ? world.exports.find(route.exportId) : undefined, call, world);
  }
  return call.method === 'POST' ? create(call, world) : list(call, world);
}
