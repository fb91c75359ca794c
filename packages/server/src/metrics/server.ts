/** The HTTP server for scrapes and for the health of a process. */
import http, { type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** A scrape is one request of a few hundred bytes. */
const REQUEST_MS = 5_000;
const CONNECTIONS_CHECK_MS = 1_000;
const KEEP_ALIVE_MS = 75_000;
const MAX_CONNECTIONS = 64;
const MAX_HEADER_BYTES = 8 * 1024;

export interface MetricsServer {
  /** The address it listens on. */
  readonly url: string;
  close(): Promise<void>;
}

export interface MetricsSite {
  /** The metrics as text. */
  readonly render: () => Promise<string>;
  readonly contentType: string;
  /** Tells whether the process can do its work. Answers at once. */
  readonly isReady: () => boolean;
  /** Told why the metrics could not be had. */
  readonly onError: (error: unknown) => void;
}

/**
 * Serves `/metrics`, `/health` and `/ready` on a port of its own, which is not for clients. A process without an API
 * has them here alone.
 */
export async function listenForScrapes(
  { host, port }: { host: string; port: number },
  site: MetricsSite,
): Promise<MetricsServer> {
  const server = http.createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => {
      // No body is wanted here.
      request.resume();
      void answer(request.method ?? '', request.url ?? '', response, site);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `http://${shown}:${address.port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  method: string,
  url: string,
  response: ServerResponse,
  site: MetricsSite,
): Promise<void> {
  const send = (status: number, body: string, headers: Record<string, string> = {}): void => {
    response
      .writeHead(status, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'content-length': Buffer.byteLength(body),
        ...headers,
      })
      .end(body);
  };
  const path = url.split('?', 1)[0];
  if (path !== '/metrics' && path !== '/health' && path !== '/ready')
    return send(404, '{"message":"404 Not Found: /metrics, /health and /ready are here"}');
  if (method !== 'GET' && method !== 'HEAD')
    return send(405, '{"message":"405 Method Not Allowed"}', { allow: 'GET, HEAD' });
  if (path === '/health') return send(200, '{"status":"alive"}');
  if (path === '/ready')
    return site.isReady()
      ? send(200, '{"status":"ready"}')
      : send(503, '{"message":"503 Service Unavailable"}', { 'retry-after': '5' });
  try {
    send(200, await site.render(), { 'content-type': site.contentType });
  } catch (error) {
    site.onError(error);
    send(500, '{"message":"500 Internal Server Error; the log says why"}');
  }
}
