/**
 * The entry of a thread that checks uploads, one after another. Everything that costs time for each
 * byte of an upload happens here, so that no upload delays the loop that answers.
 */
import { parentPort } from 'node:worker_threads';
import { findErrorCode } from '../errors.ts';
import { BadBody, TooLarge } from './errors.ts';
import { Intake } from './intake.ts';
import type { Fault, FromThread, ToThread } from './messages.ts';

if (!parentPort) throw new Error('thread.ts runs as a worker thread');
const port = parentPort;
const say = (message: FromThread): void => port.postMessage(message);

function toFault(error: unknown): Fault {
  const message = error instanceof Error ? error.message : String(error);
  const name =
    error instanceof BadBody ? 'BadBody' : error instanceof TooLarge ? 'TooLarge' : 'Error';
  return { name, message, code: findErrorCode(error) };
}

let intake: Intake | null = null;
/** Messages are worked on one after another. */
let work: Promise<void> = Promise.resolve();

async function handle(message: ToThread): Promise<void> {
  if (message.kind === 'begin') {
    intake = new Intake(message.target, (bytes) => say({ kind: 'spooled', bytes }));
    return;
  }
  // Chunks that were still in flight when the upload was refused.
  if (intake === null) return;
  if (message.kind === 'bytes') {
    const { buffer, byteOffset, byteLength } = message.bytes;
    await intake.write(Buffer.from(buffer, byteOffset, byteLength));
    say({ kind: 'taken' });
    return;
  }
  const result = await intake.end();
  intake = null;
  say({ kind: 'done', result });
}

port.on('message', (message: ToThread) => {
  work = work
    .then(() => handle(message))
    .catch((error: unknown) => {
      intake?.close();
      intake = null;
      say({ kind: 'refused', fault: toFault(error) });
    });
});
