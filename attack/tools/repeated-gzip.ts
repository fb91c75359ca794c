import { constants, crc32, deflateRawSync } from 'node:zlib';

const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);

/**
 * A gzip stream that inflates to `pattern` many times over. The pattern is compressed once: after a
 * full flush nothing refers back, so its bytes may stand any number of times.
 */
export class RepeatedGzip {
  readonly #pattern: Buffer;
  readonly #times: number;
  readonly header = HEADER;
  /** One pattern, compressed. */
  readonly block: Buffer;

  constructor(pattern: Buffer, times: number) {
    this.#pattern = pattern;
    this.#times = times;
    const flushed = { finishFlush: constants.Z_FULL_FLUSH, level: 9 };
    this.block = deflateRawSync(pattern, flushed);
  }

  get times(): number {
    return this.#times;
  }

  /** The end of the stream, with its checksum. */
  trailer(): Buffer {
    const end = deflateRawSync(Buffer.alloc(0));
    const sums = Buffer.alloc(8);
    let sum = 0;
    for (let n = 0; n < this.#times; n++) sum = crc32(this.#pattern, sum);
    sums.writeUInt32LE(sum, 0);
    sums.writeUInt32LE((this.#pattern.length * this.#times) % 2 ** 32, 4);
    return Buffer.concat([end, sums]);
  }
}
