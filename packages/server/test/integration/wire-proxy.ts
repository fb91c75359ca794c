import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { Place } from './place.ts';

/** One round trip: all that a client sent before it waited for an answer. */
export interface RoundTrip {
  /** The text of its statement. */
  text: string;
  /** The name under which the server is to keep the statement; empty for an unnamed one. */
  name: string;
}

/** A proxy in front of PostgreSQL that writes down what a service asks. */
export interface WireProxy {
  /** The place's database, through the proxy. */
  readonly databaseUrl: string;
  /** The round trips of the service since the last call, in order; the queue has connections of its own. */
  taken(): RoundTrip[];
  close(): Promise<void>;
}

/** Stands between a place's database and a service. PostgreSQL's frontend protocol, version 3. */
export async function startProxy(place: Place): Promise<WireProxy> {
  const { host, port } = inject('cluster');
  const directory = await mkdtemp(join(tmpdir(), 'tillroll-wire-'));
  const sockets = new Set<Socket>();
  const trips: RoundTrip[] = [];

  const server = createServer((client) => {
    const upstream = connect(join(host, `.s.PGSQL.${port}`));
    const read = reader(trips);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', read);
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(join(directory, `.s.PGSQL.${port}`), resolve));

  const url = new URL(place.databaseUrl.replace('@/', '@localhost/'));
  url.searchParams.set('host', directory);
  return {
    databaseUrl: url.href,
    taken: () => trips.splice(0),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Reads a client's bytes. Sync and simple Query are what a client waits after. */
function reader(trips: RoundTrip[]): (chunk: Buffer) => void {
  let isService = false;
  let trip: RoundTrip = { text: '', name: '' };
  const note = (type: string, body: string): void => {
    if (type === 'P') {
      const [name = '', text = ''] = body.split('\0');
      trip = { text: trip.text + text, name: trip.name + name };
    } else if (type === 'Q' || type === 'S') {
      if (type === 'Q') trip.text += body.replace('\0', '');
      // The check in the background has a connection of its own.
      if (trip.text.includes('tillroll.processes')) isService = false;
      if (isService) trips.push(trip);
      trip = { text: '', name: '' };
    }
  };
  return messages((startUp) => {
    isService = /application_name\0tillroll\0/.test(startUp);
  }, note);
}

/** Cuts a client's bytes into messages. The first one, the start-up, has no type. */
function messages(
  startUp: (body: string) => void,
  note: (type: string, body: string) => void,
): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  let started = false;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = started ? 1 : 0;
      if (rest.length < head + 4) return;
      const end = head + rest.readUInt32BE(head);
      if (rest.length < end) return;
      const body = rest.toString('utf8', head + 4, end);
      if (started) note(String.fromCharCode(rest[0] ?? 0), body);
      else startUp(body);
      started = true;
      rest = rest.subarray(end);
    }
  };
}
