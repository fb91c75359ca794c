import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { readSignedExport } from '../../exports/read.ts';
import { isAvailable, type ManifestFile } from '../../exports/record.ts';
import { fileKey } from '../../storage/keys.ts';
import { FileMissing } from '../../storage/storage.ts';
import type { HttpContext } from '../context.ts';
import { badSignature, fileLost, filesGone, HttpError, rangeNotSatisfiable } from '../errors.ts';
import { chooseRange, chooseRepresentation, inflate, isCurrent } from '../representation.ts';
import { resource } from '../resource.ts';
import { errors } from '../schemas/requests.ts';
import { inTurn } from '../turns.ts';

/** A download that makes no progress for so long is given up. */
const STALL_MS = 120_000;

const FILE_HEADERS = ['content-encoding', 'content-length', 'content-range', 'etag'];

/** Downloads. The URL authorises itself, so there is no token here. */
export function fileRoutes(app: FastifyInstance, context: HttpContext): void {
  const { pool, signer } = context;

  /** The file that a signed URL stands for. @throws 403 before anything else is looked at, 410 */
  const locate = async (request: FastifyRequest): Promise<{ file: ManifestFile; key: string }> => {
    const signed = signer.verify(request.raw.url ?? '');
    if (!signed) throw badSignature();
    request.exportId = signed.exportId;
    const record = await inTurn(context, request, () => readSignedExport(pool, signed.exportId));
    const file = record?.files[signed.position];
    if (!record || !file || !isAvailable(record) || signed.expires <= record.now) throw filesGone();
    return { file, key: fileKey(record.id, record.attempt, signed.position) };
  };

  /** The answer for a file that the store does not have: gone by now, or lost before its time. */
  const explainMissing = async (
    request: FastifyRequest,
    cause: FileMissing,
  ): Promise<HttpError> => {
    try {
      // An export that expired or was deleted since it was read is not a fault.
      await locate(request);
    } catch (error) {
      if (error instanceof HttpError) return error;
      throw error;
    }
    return fileLost(
      `${context.storage.place}: ${cause.message}, before the end of its export's time`,
    );
  };

  const download = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { file, key } = await locate(request);
    const { headers } = request;
    const representation = chooseRepresentation(headers, file);
    const { encoding, size, etag } = representation;
    void reply.headers({
      'content-type': 'application/json',
      'cache-control': 'private, no-store',
      vary: 'Accept-Encoding',
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      etag,
    });
    if (isCurrent(headers['if-none-match'], etag)) return reply.code(304).send();
    const range = chooseRange(headers, representation);
    if (range === 'unsatisfiable') throw rangeNotSatisfiable(size);
    const part = range === 'whole' ? null : range;
    if (part)
      void reply.code(206).header('content-range', `bytes ${part.start}-${part.end}/${size}`);
    if (encoding === 'gzip') void reply.header('content-encoding', 'gzip');
    void reply.header('content-length', part ? part.end - part.start + 1 : size);
    // An empty stream: Fastify would put the length of anything else in place of the file's.
    // A client that stops reading must not hold a file open for ever.
    reply.raw.setTimeout(STALL_MS, () => reply.raw.destroy());
    if (request.method === 'HEAD') return reply.send(Readable.from([]));
    try {
      if (encoding === 'gzip')
        return reply.send(await context.storage.read(key, part ?? undefined));
      return reply.send(inflate(await context.storage.read(key), part));
    } catch (error) {
      // They describe the file that was to come.
      for (const name of FILE_HEADERS) reply.removeHeader(name);
      if (error instanceof FileMissing) throw await explainMissing(request, error);
      throw error;
    }
  };

  resource(app, '/v3/files/*', {
    GET: {
      schema: {
        tags: ['files'],
        summary: 'Download a file of an export',
        description:
          'Needs neither a header nor a token: the URL, from `exportUrls`, is signed. Range and If-Range, If-None-Match and Accept-Encoding (gzip) are honoured.',
        response: {
          200: {
            description: 'The file: {"elements":[...]}, at most 1000 objects',
            ...Type.Object({ elements: Type.Array(Type.Unknown()) }),
          },
          ...errors(403, 410, 416, 503),
        },
      },
      handler: download,
    },
  });
}
