import { errorBody } from '@tillroll/contract';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { HttpContext } from '../context.ts';
import { HttpError } from '../errors.ts';
import { endpoint, resource } from '../resource.ts';
import { errors } from '../schemas/requests.ts';

const StatusSchema = Type.Object({ status: Type.String() });

/** `/health`: this process answers. `/ready`: it can also do its work. */
export function healthRoutes(app: FastifyInstance, { isReady }: HttpContext): void {
  resource(app, '/health', {
    GET: endpoint({
      schema: { tags: ['service'], summary: 'Alive', response: { 200: StatusSchema } },
      handler: () => Promise.resolve({ status: 'alive' }),
    }),
  });
  resource(app, '/ready', {
    GET: endpoint({
      schema: {
        tags: ['service'],
        summary: 'Ready: database reachable, schema up to date, storage writable',
        response: { 200: StatusSchema, ...errors(503) },
      },
      // The result of the last background check: nobody makes us work by asking, and the reasons are
      // the operator's, in the log.
      handler: () => {
        if (isReady()) return Promise.resolve({ status: 'ready' });
        throw new HttpError(503, errorBody(503, 'Not ready; try again'), { 'retry-after': '5' });
      },
    }),
  });
}
