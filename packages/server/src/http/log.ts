import type { FastifyReply, FastifyRequest } from 'fastify';

/** The path without its query: that may hold a token or a signature. */
function pathOf(url: string): string {
  const query = url.indexOf('?');
  return (query < 0 ? url : url.slice(0, query)).slice(0, 200);
}

/** One line a request, once it is answered or its sender has left. */
export function logRequest(request: FastifyRequest, reply: FastifyReply): void {
  reply.raw.once('close', () => {
    const { principal, exportId, refusal } = request;
    request.log.info(
      {
        method: request.method,
        path: pathOf(request.raw.url ?? ''),
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
