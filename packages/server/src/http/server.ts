import http, {
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { noteClientAddress } from './client-address.ts';
import { findConnection, type Connection, type Connections } from './connections.ts';
import { hasLeastRate } from './downloads.ts';
import { noteExpectation } from './expect-continue.ts';
import { Incoming } from './incoming.ts';
import {
  ANSWER_MS,
  CONNECTIONS_CHECK_MS,
  HEADERS_MS,
  KEEP_ALIVE_MS,
  MAX_HEADER_BYTES,
  MAX_HEADER_FIELDS,
  MAX_REQUESTS_PER_CONNECTION,
  REFUSAL_MS,
  REFUSED_CONNECTION_MS,
  REQUEST_MS,
} from './limits.ts';
import type { HttpLog } from './log.ts';
import { Pacer } from './pacer.ts';
import { announcesBody } from './unread-body.ts';
import {
  closeInTwoSteps,
  destroyAfter,
  refuse,
  refuseConnection,
  refuseOnSocket,
  stopReading,
} from './socket.ts';

/**
 * Node's HTTP server with bounds on what peers can make it hold. What exceeds one is answered here and
 * meets neither `handler` nor the log of requests.
 * @param handler answers a request.
 */
export function createServer(
  handler: RequestListener,
  connections: Connections,
  log: HttpLog,
): Server {
  const server = http.createServer({
    IncomingMessage: Incoming,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Node would refuse a request without Host by itself, with an empty body.
    requireHostHeader: false,
  });
  // Above its bound Node drops fields in silence; one more than ours shows that there are too many.
  server.maxHeadersCount = MAX_HEADER_FIELDS + 1;

  // An option of net.Server that http.createServer does not pass on: nothing is read of a connection
  // before its turn.
  Object.assign(server, { pauseOnConnect: true });
  // Node's own listener sets up the parser. A refused connection must not get that far.
  const accepts = server.listeners('connection');
  server.removeAllListeners('connection');
  const pacer = new Pacer();
  server.on('connection', (socket: Socket) => {
    const exceeded = connections.admit(socket);
    if (exceeded !== null) {
      log.overloaded(`too many ${exceeded}`);
      refuseConnection(socket);
      return;
    }
    pacer.run(socket.remoteAddress ?? 'gone', () => {
      if (socket.destroyed) return;
      for (const accept of accepts) accept.call(server, socket);
      socket.resume();
    });
  });

  const receive = (
    request: IncomingMessage,
    response: ServerResponse,
    answer: RequestListener,
  ): void => {
    const connection = findConnection(request.socket);
    if (!connection || connection.isClosing) return;
    giveUpUntaken(response);
    if (connection.isFull) {
      refuseFlood(connection, request.socket, response);
      log.overloaded('too many requests on one connection');
      return;
    }
    const address = connections.toAccountKey(connection, request.headers['x-forwarded-for']);
    noteClientAddress(request, address);
    const done = connections.beginRequest(address);
    connection.begin(response, done ?? (() => undefined));
    if (request.rawHeaders.length > 2 * MAX_HEADER_FIELDS) {
      refuseAndClose(request, response, 431, `A request may have ${MAX_HEADER_FIELDS} headers`);
    } else if (done) {
      pacer.run(address, () => {
        if (!request.socket.destroyed) answer(request, response);
      });
    } else {
      log.overloaded('too many requests of one address');
      const details = 'There are too many requests from this address at the moment; try again';
      if (announcesBody(request)) refuseAndClose(request, response, 503, details);
      else refuse(response, 503, details, { 'retry-after': '1' });
    }
  };
  server.on('request', (request, response) => receive(request, response, handler));
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    noteExpectation(request);
    receive(request, response, handler);
  });
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
    // RFC 9110, 10.1.1.
    receive(request, response, () =>
      refuseAndClose(request, response, 417, 'Expect may be 100-continue only'),
    ),
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    log.malformed(error.code ?? 'unknown');
    refuseOnSocket(error, socket);
  });
  return server;
}

/** One last answer, after those that are under way. Nothing more of this connection is read. */
function refuseFlood(connection: Connection, socket: Socket, response: ServerResponse): void {
  connection.newest = response;
  stopReading(socket);
  closeInTwoSteps(socket, REFUSAL_MS);
  destroyAfter(socket, REFUSED_CONNECTION_MS);
  refuse(
    response,
    503,
    `A connection may have ${MAX_REQUESTS_PER_CONNECTION} requests under way; wait for answers before sending more`,
    { 'retry-after': '1', connection: 'close' },
  );
}

function refuseAndClose(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  details: string,
): void {
  closeInTwoSteps(request.socket, REFUSAL_MS);
  request.resume();
  refuse(response, status, details, {
    connection: 'close',
    ...(status === 503 && { 'retry-after': '1' }),
  });
}

/** Closes the connection of a peer that does not take an answer which is complete. */
function giveUpUntaken(response: ServerResponse): void {
  response.once('prefinish', () => {
    if (hasLeastRate(response)) return;
    const arm = (socket: Socket): void => {
      response.once('finish', destroyAfter(socket, ANSWER_MS));
    };
    if (response.socket) arm(response.socket);
    else response.once('socket', arm);
  });
}
