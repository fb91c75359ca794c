/**
 * The program of a bare Fastify route, for comparison: the same path, an answer of the same size, no log, no token,
 * no database.
 */
import { fastify } from 'fastify';

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
