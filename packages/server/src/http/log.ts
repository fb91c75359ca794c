import type { FastifyInstance } from 'fastify';

/** The path without its query: that may hold a token or a signature. */
function pathOf(url: string): string {
  const query = url.indexOf('?');
  return (query < 0 ? url : url.slice(0, query)).slice(0, 200);
}

/** One line a request, once it is answered. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', (request, reply, done) => {
    const { principal } = request;
    const merchant = principal?.merchantId;
    request.log.info(
      {
        method: request.method,
        path: pathOf(request.url),
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime),
        ...(merchant !== undefined && { merchant, app: principal?.appId }),
        ...(request.exportId !== null && { export: request.exportId }),
        ...(request.refusal !== null && { refusal: request.refusal }),
      },
      'request',
    );
    done();
  });
}
