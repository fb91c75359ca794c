import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { errorBody } from '@tillroll/contract';

/** What never becomes a request, and so meets no route: Node speaks of it on the bare socket. */

const DETAILS = 'The request is not HTTP as this service reads it';

/** The newest answer of each connection; pipelined answers go out in order, so it is also the last. */
const answers = new WeakMap<Socket, ServerResponse>();

/** Remembers that a request on this connection is being answered. */
export function noteAnswer(socket: Socket, response: ServerResponse): void {
  answers.set(socket, response);
}

function statusOf(error: NodeJS.ErrnoException): number {
  if (error.code === 'HPE_HEADER_OVERFLOW') return 431;
  return error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
}

/**
 * Answers bytes that are no HTTP. Never into an answer that has begun, and never in place of one that
 * is still to come for a request that was whole: what it did would look undone.
 */
export function refuseOnSocket(error: NodeJS.ErrnoException, socket: Socket): void {
  const answer = answers.get(socket);
  const isAnswering = answer !== undefined && !answer.writableFinished && !answer.destroyed;
  if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
  else if (isAnswering && answer.req.complete) answer.once('close', () => socket.destroy());
  else if (isAnswering && answer.headersSent) socket.destroy();
  else {
    const status = statusOf(error);
    const body = JSON.stringify(errorBody(status, DETAILS));
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  }
}

/** An `Expect` other than 100-continue (RFC 9110, 10.1.1). */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const body = JSON.stringify(errorBody(417, 'Expect may be 100-continue only'));
  response.writeHead(417, { 'content-type': 'application/json', connection: 'close' }).end(body);
}
