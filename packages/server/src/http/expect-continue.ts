/** Handles `Expect: 100-continue`. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Requests whose sender waits for `100 Continue` before it sends the body. */
const waiting = new WeakSet<IncomingMessage>();

export function noteExpectation(request: IncomingMessage): void {
  waiting.add(request);
}

/** Tells a sender that waits to send its body. To be called once the body is wanted. */
export function inviteBody(request: IncomingMessage, response: ServerResponse): void {
  if (waiting.delete(request)) response.writeContinue();
}

/** Tells whether the sender still waits, so that its body may never come. */
export function isWaiting(request: IncomingMessage): boolean {
  return waiting.has(request);
}
