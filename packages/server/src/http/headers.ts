/** Security headers of every answer. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import helmet from 'helmet';

/** Headers of answers that are data: nothing in them may be run, shown or framed. */
const NOTHING = { defaultSrc: ["'none'"], frameAncestors: ["'none'"] };

/**
 * The usual headers, on every answer.
 * @param isHttps whether clients reach the service over https, so that it may insist on it.
 */
export function securityHeaders(app: FastifyInstance, isHttps: boolean): void {
  const middleware = helmet({
    contentSecurityPolicy: { useDefaults: false, directives: NOTHING },
    frameguard: { action: 'deny' },
    strictTransportSecurity: isHttps,
  });
  // They are the same for all answers, so they are asked for once: doing it for each request would cost
  // as much as a poll's authentication.
  const request = new IncomingMessage(new Socket());
  const response = new ServerResponse(request);
  middleware(request, response, (error) => {
    if (error !== undefined) throw new Error('the headers cannot be made', { cause: error });
  });
  const headers = response.getHeaders();
  app.addHook('onRequest', (_request, reply, done) => {
    void reply.headers(headers);
    done();
  });
}
