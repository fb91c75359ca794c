/** Cancels a running statement by PostgreSQL's cancel request. */
import { once } from 'node:events';
import { Connection as PgConnection, type ClientBase } from 'pg';
import type { Connection } from './connection.ts';
import { clientConfig } from './client.ts';

/** A cancel request is answered with the end of its connection; and that is not waited for without a bound. */
const BOUND_MS = 2_000;

/** Members of pg's client that its types do not show. */
type Session = ClientBase & { processID: number | null; secretKey: number | null };

/** pg's connection, of which its types show little. */
type RawConnection = PgConnection & {
  connect(portOrPath: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
  readonly stream: { destroy(): void };
};

/**
 * Asks the server to end the statement under way on a connection (PostgreSQL documentation,
 * "Canceling Requests in Progress"), over a second connection of the same kind. Behind a pooler it
 * goes through the pooler. Never throws: whether it arrived cannot be known anyway.
 */
export async function cancelStatement(connection: Connection, client: ClientBase): Promise<void> {
  const { processID, secretKey } = client as Session;
  if (processID === null || secretKey === null) return;
  const { host, port, ssl, sslnegotiation } = connection;
  const raw = new PgConnection({
    ...clientConfig(connection),
    ...(sslnegotiation && { sslNegotiation: sslnegotiation }),
  } as ConstructorParameters<typeof PgConnection>[0]) as RawConnection;
  // Nothing follows the request, not even a Terminate: PgBouncer 1.18 ends itself over that ("bad client state").
  const send = (): void => raw.cancel(processID, secretKey);
  raw.on('error', () => raw.stream.destroy());
  if (ssl === false) raw.once('connect', send);
  else {
    if (!sslnegotiation) raw.once('connect', () => raw.requestSsl());
    raw.once('sslconnect', send);
  }
  const signal = AbortSignal.timeout(BOUND_MS);
  try {
    const ended = once(raw, 'end', { signal });
    if (host.startsWith('/')) raw.connect(`${host}/.s.PGSQL.${port}`);
    else raw.connect(port, host);
    await ended;
  } catch {
    // It cannot be known whether the request arrived.
  } finally {
    raw.stream.destroy();
  }
}
