/** Reads a COPY from PostgreSQL's socket without copying its bytes. */
import type { Socket } from 'node:net';
import type { Connection, Submittable } from 'pg';
import { WITHOUT_LIMIT_MS } from '../database/client.ts';
import { BrokenStream, FrameDecoder, type RowFrame } from './frames.ts';
import type { CopyPart } from './statement.ts';

/** Backend messages (PostgreSQL documentation, "Message Formats"); each begins with its letter and length. */
const COPY_DATA = 'd'.charCodeAt(0);
const COPY_DONE = 'c'.charCodeAt(0);
const ERROR_RESPONSE = 'E'.charCodeAt(0);
const MESSAGE_HEAD_BYTES = 5;

type DataListener = (chunk: Buffer) => void;

/** pg lets a query take over the socket, but its types do not show the socket. */
type OpenConnection = Connection & { stream: Socket };

/**
 * A `COPY ... TO STDOUT (FORMAT binary)` read straight off pg's socket: the frames point into what the
 * socket delivered, so that an object's bytes are copied once, into the file they belong to. pg has
 * the socket back at the first message that is not part of the copy.
 */
export class CopyOut implements Submittable {
  /** pg's limit for a statement; a COPY may take hours, and its reader watches for silence. */
  readonly query_timeout = WITHOUT_LIMIT_MS;
  readonly #statement: string;
  readonly #decoder: FrameDecoder;
  readonly #onReadable = (): void => this.#wake();
  readonly #onClose = (): void => this.#fail(new Error('Connection terminated unexpectedly'));
  #socket: Socket | null = null;
  #pgListener: DataListener | null = null;
  #wake: () => void = () => undefined;
  #failure: Error | null = null;
  #complete = false;
  /** Rows that PostgreSQL says it sent; known at the end. */
  #sent: number | null = null;
  /** Letter of the message that is being read, and how many of its bytes are still to come. */
  #code = 0;
  #left = 0;
  #head: Buffer = Buffer.alloc(0);

  constructor({ statement, layout, isDeletions }: CopyPart) {
    this.#statement = statement;
    this.#decoder = new FrameDecoder(layout, isDeletions);
  }

  // Methods that pg calls.

  /** pg puts a function in this place that ends its time limit; called once the statement has ended. */
  callback(): void {
    // Nothing is waiting for it.
  }

  submit(connection: Connection): void {
    const { stream } = connection as OpenConnection;
    const [listener, ...others] = stream.listeners('data') as DataListener[];
    if (!listener || others.length > 0) throw new Error('the connection is read by other code');
    this.#socket = stream;
    this.#pgListener = listener;
    stream.off('data', listener);
    stream.pause();
    stream.on('readable', this.#onReadable);
    stream.once('close', this.#onClose);
    connection.query(this.#statement);
  }

  handleError(error: Error): void {
    this.#fail(error);
  }

  handleCommandComplete(message: { text: string }): void {
    const count = /^COPY ([0-9]+)$/.exec(message.text)?.[1];
    this.#sent = count === undefined ? null : Number(count);
  }

  handleReadyForQuery(): void {
    this.callback();
    this.#complete = true;
    this.#wake();
  }

  // Methods that the reader calls.

  /** The rows, in batches as they come. @throws BrokenStream, ObjectTooLarge, PostgreSQL's error */
  async *frames(): AsyncGenerator<RowFrame[]> {
    while (!this.#complete) {
      if (this.#failure) throw this.#failure;
      const chunk = this.#pgListener ? (this.#socket?.read() as Buffer | null) : null;
      if (chunk === null) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const frames: RowFrame[] = [];
      this.#read(chunk, frames);
      if (frames.length > 0) yield frames;
    }
    this.#decoder.finish();
    if (this.#sent !== this.#decoder.rows) {
      throw new BrokenStream(`PostgreSQL sent ${this.#sent} rows, ${this.#decoder.rows} arrived`);
    }
  }

  /** Ends the reading, for a reason of ours. */
  abandon(reason: Error): void {
    this.#fail(reason);
  }

  #fail(error: Error): void {
    this.callback();
    this.#failure ??= error;
    this.#wake();
  }

  #read(chunk: Buffer, frames: RowFrame[]): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left === 0) {
        const head = this.#takeHead(chunk, at);
        if (head < 0) return;
        at = head;
        if (this.#code === ERROR_RESPONSE || this.#code === COPY_DONE) {
          this.#unread(chunk.subarray(at));
          return;
        }
      }
      const end = Math.min(chunk.length, at + this.#left);
      if (this.#code === COPY_DATA) this.#decoder.push(chunk, at, end, frames);
      this.#left -= end - at;
      at = end;
    }
  }

  /** Reads a message's letter and length. @returns where its content begins, or -1: not all there yet. */
  #takeHead(chunk: Buffer, at: number): number {
    const missing = MESSAGE_HEAD_BYTES - this.#head.length;
    if (chunk.length - at < missing) {
      this.#head = Buffer.concat([this.#head, chunk.subarray(at)]);
      return -1;
    }
    if (missing === MESSAGE_HEAD_BYTES) {
      this.#code = chunk[at] ?? 0;
      this.#left = chunk.readInt32BE(at + 1) - 4;
    } else {
      this.#head = Buffer.concat([this.#head, chunk.subarray(at, at + missing)]);
      this.#code = this.#head[0] ?? 0;
      this.#left = this.#head.readInt32BE(1) - 4;
      this.#head = Buffer.alloc(0);
    }
    return at + missing;
  }

  /** Gives the socket back to pg, with what it has not seen: the message just begun and all behind it. */
  #unread(rest: Buffer): void {
    const socket = this.#socket;
    const listener = this.#pgListener;
    if (!socket || !listener) return;
    this.#pgListener = null;
    socket.off('readable', this.#onReadable);
    socket.off('close', this.#onClose);
    socket.on('data', listener);
    const head = Buffer.alloc(MESSAGE_HEAD_BYTES);
    head[0] = this.#code;
    head.writeInt32BE(this.#left + 4, 1);
    listener(Buffer.concat([head, rest]));
    // Taking off the last 'readable' listener pauses the socket a tick later.
    process.nextTick(() => socket.resume());
  }
}
