/** The routes of signed receipts, and of the keys that verify them. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { toReceiptText } from '../../exports/record.ts';
import type { HttpContext } from '../context.ts';
import { receiptNotReady } from '../errors.ts';
import { endpoint, resource } from '../resource.ts';
import { errors, ExportParams, SECURITY, TokenQuery } from '../schemas/requests.ts';
import { KeySetSchema } from '../schemas/wire.ts';
import { findExport } from './find-export.ts';

/** RFC 7515, 9.2.1. */
const JWS_TYPE = 'application/jose';
/** A compact JWS, for the document. */
const RECEIPT = { description: 'A compact JWS (EdDSA)', type: 'string' };

/** The receipt of one export. */
export function receiptRoutes(app: FastifyInstance, context: HttpContext): void {
  resource(app, '/exports/:exportId/receipt', {
    GET: endpoint({
      config: { authenticatesItself: true },
      schema: {
        tags: ['exports'],
        summary: 'The signed receipt of a DONE export',
        description:
          'The export object without exportUrls and progress, as a compact JWS. Its key is in /.well-known/jwks.json.',
        security: SECURITY,
        params: ExportParams,
        querystring: TokenQuery,
        response: { 200: RECEIPT, ...errors(401, 404, 409) },
      },
      handler: async (request, reply): Promise<void> => {
        const { record } = await findExport(context, request, request.params.exportId);
        if (record.status !== 'DONE') throw receiptNotReady(record.status);
        const receipt = await context.receipts.sign(toReceiptText(record));
        await send(reply.type(JWS_TYPE), receipt);
      },
    }),
  });
}

async function send(reply: FastifyReply, text: string): Promise<void> {
  await reply.serializer(String).send(text);
}

/** The public keys, for anybody. */
export function keySetRoutes(app: FastifyInstance, { receipts }: HttpContext): void {
  resource(app, '/.well-known/jwks.json', {
    GET: endpoint({
      schema: {
        tags: ['service'],
        summary: 'The keys that verify receipts',
        description: 'Keys that are retired stay. RFC 7517.',
        response: { 200: KeySetSchema },
      },
      handler: async (_request, reply) => {
        // Keys are public, and change when an operator rotates them.
        void reply.header('cache-control', 'public, max-age=300');
        return receipts.publish();
      },
    }),
  });
}
