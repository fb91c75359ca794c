/** The route of the files of exports. */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readFile, type FileRecord } from '../../exports/read.ts';
import { isAvailable } from '../../exports/record.ts';
import { fileKey, MEDIA_TYPES } from '../../storage/keys.ts';
import { FileMissing } from '../../storage/storage.ts';
import type { HttpContext } from '../context.ts';
import {
  badSignature,
  CallerGone,
  fileLost,
  filesGone,
  HttpError,
  rangeNotSatisfiable,
} from '../errors.ts';
import { Downloads } from '../downloads.ts';
import {
  chooseRange,
  chooseRepresentation,
  inflate,
  isCurrent,
  type ByteRange,
} from '../representation.ts';
import { endpoint, resource } from '../resource.ts';
import { errors } from '../schemas/requests.ts';
import { inTurn } from '../turns.ts';

/** For the OpenAPI document. The answer itself is a stream of the stored bytes. */
const FILE: Record<string, unknown> = {
  description: 'The file: {"elements":[...]}, or with format jsonl one object a line',
  type: 'object',
  required: ['elements'],
  properties: { elements: { type: 'array', items: {} } },
};

/** For the OpenAPI document. */
const REDIRECTED: Record<string, unknown> = {
  description: 'With `TILLROLL_S3_REDIRECT`: the same file at the store itself, for a minute',
  type: 'null',
};
const REDIRECT = { 'cache-control': 'no-store', vary: 'Accept-Encoding, Authorization, Range' };

/**
 * Tells whether a client can be sent to the store: not with a token, which some clients carry along, nor
 * with a range, whose If-Range the store may read otherwise; and what the store has is gzip.
 */
function mayRedirect({ method, headers }: FastifyRequest, encoding: string): boolean {
  return (
    method === 'GET' &&
    encoding === 'gzip' &&
    headers.authorization === undefined &&
    headers.range === undefined
  );
}

/** Downloads. The URL authorises itself, so there is no token here. */
export function fileRoutes(app: FastifyInstance, context: HttpContext): void {
  const { pool, signer, observer } = context;
  const downloads = new Downloads();
  observer.watchOpen('downloads', () => downloads.open);

  /** The file that a signed URL stands for. @throws 403 before anything else is looked at, 410 */
  const locate = async (request: FastifyRequest): Promise<{ file: FileRecord; key: string }> => {
    const signed = signer.verify(request.raw.url ?? '');
    if (!signed) throw badSignature();
    request.exportId = signed.exportId;
    request.isKnown = true;
    const { exportId, position, expires } = signed;
    const file = await inTurn(context, request, () => readFile(pool, exportId, position));
    if (!file || !isAvailable(file) || expires <= file.now) throw filesGone();
    return { file, key: fileKey(exportId, file.attempt, position, file.format) };
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
      `${context.storage.location}: ${cause.message}, before the end of its export's time`,
    );
  };

  /** The bytes to send, once it is their turn; null when the client did not wait for it. @throws 410, 503 */
  const open = async (
    request: FastifyRequest,
    reply: FastifyReply,
    file: FileRecord,
    key: string,
    encoding: 'gzip' | 'identity',
    part: ByteRange | null,
  ): Promise<Readable | null> => {
    const onEnd = (bytes: number, isComplete: boolean): void => {
      const objects = isComplete && part === null ? file.objects : 0;
      observer.downloadEnded(isComplete ? 'complete' : 'cut', objects, bytes);
    };
    const read = async (): Promise<Readable> =>
      encoding === 'gzip'
        ? context.storage.read(key, part ?? undefined)
        : inflate(await context.storage.read(key), part);
    try {
      return await downloads.start(reply.raw, file, read, onEnd);
    } catch (error) {
      if (error instanceof CallerGone) return null;
      if (error instanceof FileMissing) throw await explainMissing(request, error);
      throw error;
    }
  };

  const download = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { file, key } = await locate(request);
    const { headers } = request;
    const representation = chooseRepresentation(headers, file);
    const { encoding, size, etag } = representation;
    const common = {
      'content-type': MEDIA_TYPES[file.format],
      'cache-control': 'private, no-store',
      vary: 'Accept-Encoding',
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      etag,
    };
    if (isCurrent(headers['if-none-match'], etag)) return reply.code(304).headers(common).send();
    if (context.presign && mayRedirect(request, encoding)) {
      const url = await context.presign(key, file.now);
      observer.downloadEnded('redirected', 0, 0);
      // The address is good for a minute, and for anybody: nothing may keep it.
      return reply
        .code(302)
        .headers({ ...REDIRECT, location: url })
        .send();
    }
    const range = chooseRange(headers, representation);
    if (range === 'unsatisfiable') throw rangeNotSatisfiable(size);
    const part = range === 'whole' ? null : range;
    // An empty stream: Fastify would put the length of anything else in place of the file's.
    const content =
      request.method === 'HEAD'
        ? Readable.from([])
        : await open(request, reply, file, key, encoding, part);
    if (content === null) return reply.hijack();
    if (part)
      void reply.code(206).header('content-range', `bytes ${part.start}-${part.end}/${size}`);
    if (encoding === 'gzip') void reply.header('content-encoding', 'gzip');
    return reply
      .headers(common)
      .header('content-length', part ? part.end - part.start + 1 : size)
      .send(content);
  };

  resource(app, '/v3/files/*', {
    GET: endpoint({
      schema: {
        tags: ['files'],
        summary: 'Download a file of an export',
        description:
          'Needs neither a header nor a token: the URL, from `exportUrls`, is signed. Range and If-Range, If-None-Match and Accept-Encoding (gzip) are honoured.',
        response: {
          200: FILE,
          302: REDIRECTED,
          ...errors(403, 410, 416, 503),
        },
      },
      handler: download,
    }),
  });
}
