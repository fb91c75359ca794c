/** Answers dry runs: what an export would hold. */
import type { ExportPreview, ParsedRequest } from '@tillroll/contract';
import type { FastifyRequest } from 'fastify';
import type { Principal } from '../access/installs.ts';
import { readPace } from '../exports/read.ts';
import { FairSemaphore } from '../fair-semaphore.ts';
import type { HttpContext } from './context.ts';
import { inTurn } from './turns.ts';

/** Four at once in this process, one of an install; nobody waits. */
const LIMITS = { permits: 4, permitsPerKey: 1, waiting: 0, waitMs: 0 };
/** The longest time of one. */
const BOUND_MS = 10_000;
/** The time of creating, claiming and committing. */
const OVERHEAD_MS = 500;
/** Objects a millisecond, where no export has told yet. */
const USUAL_PACE = 40;
/** Bytes of a file beside its objects and the separators between them. */
const FILE_BYTES = 14;

export class Previews {
  readonly #context: HttpContext;
  readonly #turns = new FairSemaphore(LIMITS);

  constructor(context: HttpContext) {
    this.#context = context;
  }

  /** @throws Overloaded, Unavailable: 503 */
  async run(
    request: FastifyRequest,
    { installId, merchantId }: Principal,
    wanted: ParsedRequest & { sinceNumber: number | null },
  ): Promise<ExportPreview> {
    const { pool, measure } = this.#context;
    const { type, startTime, sinceNumber, objectsPerFile } = wanted;
    const endTime = sinceNumber === null ? wanted.endTime : this.#context.now();
    const { objects, meanBytes } = await this.#turns.run(installId, () =>
      measure({ merchantId, type, startTime, endTime, sinceNumber }, BOUND_MS),
    );
    const pace = await inTurn(this.#context, request, () => readPace(pool));
    const files = Math.ceil(objects / objectsPerFile);
    return {
      type,
      startTime,
      endTime,
      objects,
      files,
      estimatedBytes: Math.round(objects * (meanBytes + 1)) + files * FILE_BYTES,
      estimatedMs: Math.round(OVERHEAD_MS + objects / (pace ?? USUAL_PACE)),
    };
  }
}
