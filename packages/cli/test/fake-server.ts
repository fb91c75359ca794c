import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExportObject, ExportType } from '@tillroll/contract';

/** Behaviour of the server: the least that shows how the command ends. */
export interface Behaviour {
  open: boolean;
  /** True when exports reach DONE. They have no files. */
  finishes: boolean;
  /** Exports of this type end as FAILED. */
  fails?: ExportType;
}

export interface FakeServer extends AsyncDisposable {
  url: string;
  /** Paths of requests with a token, and of those without. */
  asked: { authorized: string[]; open: string[] };
}

/** A real HTTP server that answers as an export API does. */
export async function startServer({ open, finishes, fails }: Behaviour): Promise<FakeServer> {
  const asked: FakeServer['asked'] = { authorized: [], open: [] };
  const exported: ExportObject[] = [];

  function answer(request: IncomingMessage, body: string): [number, unknown] {
    const path = request.url ?? '';
    (request.headers.authorization ? asked.authorized : asked.open).push(path);
    if (path === '/v3/availability') {
      const next = Date.now() + 11_520_000;
      const known = { region: 'us', hours: 'daily' };
      return [200, { open, ...known, nextOpen: open ? null : next, nextClose: open ? next : null }];
    }
    if (request.method === 'POST') {
      if (!open) return [503, { message: 'closed' }];
      const { type, startTime, endTime } = JSON.parse(body) as ExportObject;
      const isDone = finishes && type !== fails;
      const created: ExportObject = {
        id: `EXPORT${exported.length}`,
        type,
        status: type === fails ? 'FAILED' : isDone ? 'DONE' : 'IN_PROGRESS',
        percentComplete: isDone ? 100 : 10,
        startTime,
        endTime,
        createdTime: Date.now(),
        modifiedTime: Date.now(),
        ...(isDone && {
          availableUntil: Date.now() + 86_400_000,
          exportUrls: { elements: [] },
          files: { elements: [] },
        }),
        merchantRef: { id: 'SHOP' },
      };
      exported.push(created);
      return [200, created];
    }
    const found = exported.find(({ id }) => path.endsWith(`/${id}`));
    return found ? [200, found] : [404, { message: 'Export not found' }];
  }

  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const [status, content] = answer(request, body);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(content));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    [Symbol.asyncDispose]: () => close(server),
  };
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
