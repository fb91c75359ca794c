/** The log of requests and refusals, without secrets and bounded. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../log.ts';
import type { Observer } from '../observer.ts';
import { OVERLOAD_LINES, STRANGER_LINES } from './limits.ts';
import { LineBudget } from './line-budget.ts';

/** Kinds of overload are a few fixed sentences. This bounds the map if one of them is not. */
const MAX_KINDS = 32;

/** The path without its query: that may hold a token or a signature. */
function stripQuery(url: string): string {
  const query = url.indexOf('?');
  return (query < 0 ? url : url.slice(0, query)).slice(0, 200);
}

/** The lines of the HTTP side, bounded in what strangers can make it write. */
export class HttpLog {
  readonly #log: Logger;
  readonly #observer: Pick<Observer, 'requestAnswered'>;
  readonly #strangers: LineBudget;
  readonly #kinds = new Map<string, LineBudget>();

  constructor(log: Logger, observer: Pick<Observer, 'requestAnswered'>) {
    this.#log = log;
    this.#observer = observer;
    this.#strangers = new LineBudget(STRANGER_LINES, (omitted) =>
      log.info({ omitted }, 'lines of refused requests omitted'),
    );
  }

  /**
   * One line a request, once it is answered or its sender has left; all of them are counted. Requests that were refused for
   * overload, and those of strangers, share a budget of lines.
   */
  request(request: FastifyRequest, reply: FastifyReply): void {
    reply.raw.once('close', () => {
      const { principal, exportId, refusal } = request;
      this.#observer.requestAnswered({
        route: request.routeOptions.url ?? 'none',
        method: request.method,
        status: reply.raw.headersSent ? reply.statusCode : null,
        ms: reply.elapsedTime,
      });
      const isKnown = principal !== null || exportId !== null;
      if ((!isKnown || request.overloaded) && !this.#strangers.take()) return;
      request.log.info(
        {
          method: request.method,
          path: stripQuery(request.raw.url ?? ''),
          ...(reply.raw.headersSent && { status: reply.statusCode }),
          ...(!reply.raw.writableFinished && { aborted: true }),
          durationMs: Math.round(reply.elapsedTime),
          ...(principal && { merchant: principal.merchantId, app: principal.appId }),
          ...(exportId && { export: exportId }),
          ...(refusal && { refusal }),
        },
        'request',
      );
    });
  }

  /**
   * One line a second for each kind of refusal, and how many of that kind had none.
   * @param kind a fixed sentence that says which bound was met.
   */
  overloaded(kind: string): void {
    this.#limited(kind, (suppressed) =>
      this.#log.warn({ reason: kind, ...(suppressed > 0 && { suppressed }) }, 'overloaded'),
    );
  }

  /** A resource that is missing at the moment. @param kind its code; @param error what to log about it. */
  failing(kind: string, error: string): void {
    this.#limited(`failing ${kind}`, (suppressed) =>
      this.#log.error({ error, ...(suppressed > 0 && { suppressed }) }, 'request failed'),
    );
  }

  /** Bytes that are not HTTP, or came too slowly. @param code of Node's error. */
  malformed(code: string): void {
    this.#limited(`malformed ${code}`, (suppressed) =>
      this.#log.info(
        { error: code, ...(suppressed > 0 && { suppressed }) },
        'refused before it was a request',
      ),
    );
  }

  /** Writes what is still counted. */
  flush(): void {
    this.#strangers.flush();
    for (const budget of this.#kinds.values()) budget.flush();
  }

  #limited(kind: string, write: (suppressed: number) => void): void {
    let budget = this.#kinds.get(kind);
    if (!budget) {
      if (this.#kinds.size >= MAX_KINDS) return;
      budget = new LineBudget(OVERLOAD_LINES, write);
      this.#kinds.set(kind, budget);
    }
    if (budget.take()) write(0);
  }
}
