import { fastify } from 'fastify';

/**
 * A bare Fastify route in a process of its own: the same path, an answer of the same size, and
 * nothing else. No log, no token, no database. Prints its address.
 */
const app = fastify();
app.get('/v3/merchants/:mId/exports/:exportId', () => ({
  id: '46W0PSXERJTCS',
  type: 'ORDERS',
  status: 'PENDING',
  percentComplete: 0,
  startTime: 1_767_225_600_000,
  endTime: 1_769_817_600_000,
  createdTime: 1_769_817_600_000,
  modifiedTime: 1_769_817_600_000,
  merchantRef: { id: 'POLLED' },
}));
process.stdout.write(`ready ${await app.listen({ host: '127.0.0.1', port: 0 })}\n`);
