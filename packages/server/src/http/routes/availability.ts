import { availabilityAt, type Availability } from '@tillroll/contract';
import type { FastifyInstance } from 'fastify';
import type { HttpContext } from '../context.ts';
import { endpoint, resource } from '../resource.ts';
import { AvailabilitySchema } from '../schemas/wire.ts';

/** The route that tells whether exports can be created now, and when next. Needs no token. */
export function availabilityRoutes(app: FastifyInstance, { now, rules }: HttpContext): void {
  resource(app, '/v3/availability', {
    GET: endpoint({
      schema: {
        tags: ['service'],
        summary: 'Opening hours',
        response: { 200: AvailabilitySchema },
      },
      handler: (): Promise<Availability> => {
        const { hours, region } = rules;
        return Promise.resolve(availabilityAt(hours, region, now()));
      },
    }),
  });
}
