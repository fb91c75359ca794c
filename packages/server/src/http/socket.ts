/** Refuses connections and requests below Fastify, on the bare socket. */
import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { errorBody } from '@tillroll/contract';
import { findConnection } from './connections.ts';
import { MAX_REFUSALS_UNDER_WAY, REFUSAL_MS, REST_MS } from './limits.ts';

const DETAILS = 'The request is not HTTP as this service reads it';

/** Errors of Node's parser that are not 400. */
const STATUSES: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** A whole answer as it goes over a bare socket. */
function rawAnswer(status: number, details: string, headers = ''): string {
  const body = JSON.stringify(errorBody(status, details));
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${headers}connection: close\r\n\r\n${body}`;
}

/** Refuses a request that meets neither Fastify nor its log. */
export function refuse(
  response: ServerResponse,
  status: number,
  details: string,
  headers: Readonly<Record<string, string>>,
): void {
  const body = JSON.stringify(errorBody(status, details));
  response
    .writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      ...headers,
    })
    .end(body);
}

/**
 * Answers bytes that are not HTTP. Never into an answer that has begun, and never in place of one that
 * is still to come for a request that was whole: what it did would look undone.
 */
export function refuseOnSocket(error: NodeJS.ErrnoException, socket: Socket): void {
  const answer = findConnection(socket)?.newest;
  const isAnswering = answer && !answer.writableFinished && !answer.destroyed;
  if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
  else if (isAnswering && answer.req.complete) answer.once('close', () => socket.destroy());
  else if (isAnswering && answer.headersSent) socket.destroy();
  else endSocket(socket, rawAnswer(STATUSES[error.code ?? ''] ?? 400, DETAILS), REST_MS);
}

const TOO_MANY_CONNECTIONS = rawAnswer(
  503,
  'The service has too many connections at the moment; try again',
  'retry-after: 1\r\n',
);
let refusals = 0;

/** Refuses a connection before anything of it is read as HTTP. */
export function refuseConnection(socket: Socket): void {
  socket.on('error', () => undefined);
  if (refusals >= MAX_REFUSALS_UNDER_WAY) {
    socket.resetAndDestroy();
    return;
  }
  refusals++;
  socket.once('close', () => refusals--);
  // Everything it has sent is read: closing with unread bytes would reset the connection before its answer.
  socket.resume();
  endSocket(socket, TOO_MANY_CONNECTIONS, REFUSAL_MS);
}

/** Writes a last answer. The peer has `ms` to take it and to close its side. */
function endSocket(socket: Socket, answer: string, ms: number): void {
  socket.end(answer);
  destroyAfter(socket, ms);
}

/** Reads nothing more of a connection. */
export function stopReading(socket: Socket): void {
  socket.pause();
  // Node resumes it at the end of each request.
  socket.on('resume', () => socket.pause());
}

/** Destroys a socket that is not closed within `ms`. @returns what calls that off. */
export function destroyAfter(socket: Socket, ms: number): () => void {
  if (socket.destroyed) return () => undefined;
  const timer = setTimeout(() => socket.destroy(), ms);
  const cancel = (): void => {
    clearTimeout(timer);
    socket.off('close', cancel);
  };
  socket.once('close', cancel);
  return cancel;
}

/**
 * Once its last answer is written, the socket is closed for writing alone, and for reading when the peer
 * has closed it or after `ms`. Closing both at once would reset the connection under a sender that is
 * still writing, and it would never see the answer (RFC 9112, 9.6).
 */
export function closeInTwoSteps(socket: Socket, ms: number): void {
  const connection = findConnection(socket);
  if (!connection || connection.isClosing) return;
  connection.isClosing = true;
  // This is what Node calls after the last answer of a connection.
  socket.destroySoon = () => {
    socket.end();
    destroyAfter(socket, ms);
  };
}
