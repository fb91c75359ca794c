/** Sends requests whose bytes are ours to the last: no header is added but Host, Connection and a length. */
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';

export interface Answer {
  status: number;
  headers: Headers;
  /** The bytes as sent: a content encoding is not decoded. */
  bytes: Buffer;
  text: string;
}

export interface Sent {
  method?: string;
  /** A list sends the header once for each of its values. */
  headers?: Record<string, string | string[]>;
  /** A list is sent in as many HTTP chunks. */
  body?: string | Uint8Array | readonly Uint8Array[];
}

const TIMEOUT_MS = 30_000;
const agents = {
  'http:': new http.Agent({ keepAlive: true, maxSockets: 64 }),
  'https:': new https.Agent({ keepAlive: true, maxSockets: 64 }),
};

export function makeAnswer(status: number, headers: Headers, bytes: Buffer): Answer {
  return { status, headers, bytes, text: bytes.toString('utf8') };
}

/**
 * @param base scheme, host and port.
 * @param path sent as it stands: nothing is normalised, decoded or encoded.
 */
export function exact(base: string, path: string, sent: Sent = {}): Promise<Answer> {
  const { protocol, hostname, port } = new URL(base);
  const secure = protocol === 'https:';
  const agent = secure ? agents['https:'] : agents['http:'];
  return new Promise((resolve, reject) => {
    let answered = false;
    const request = (secure ? https : http).request({
      hostname,
      port,
      path,
      agent,
      method: sent.method ?? 'GET',
      headers: { ...framing(sent.body), ...sent.headers },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    request.on('error', (error) => {
      // A server may answer 413 and close while we still send: its answer counts, not our broken pipe.
      if (!answered) reject(error);
    });
    request.once('response', (response) => {
      answered = true;
      const chunks: Buffer[] = [];
      const finish = (error?: Error): void => {
        const bytes = Buffer.concat(chunks);
        const length = response.headers['content-length'];
        const whole =
          response.complete || (length !== undefined && bytes.length === Number(length));
        if (whole)
          resolve(makeAnswer(response.statusCode ?? 0, makeHeaders(response.rawHeaders), bytes));
        else reject(error ?? new Error(`${path}: the answer ended after ${bytes.length} bytes`));
      };
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', finish);
      response.once('end', () => {
        finish();
      });
      response.once('close', () => {
        finish();
      });
    });
    if (Array.isArray(sent.body)) {
      for (const chunk of sent.body as readonly Uint8Array[]) request.write(chunk);
      request.end();
    } else {
      request.end(sent.body as string | Uint8Array | undefined);
    }
  });
}

/** A length always: node leaves it out for methods that seldom have a body, and so breaks the framing. */
function framing(body: Sent['body']): Record<string, string> {
  if (body === undefined) return {};
  if (Array.isArray(body)) return { 'transfer-encoding': 'chunked' };
  return { 'content-length': String(Buffer.byteLength(body as string | Uint8Array)) };
}

function makeHeaders(raw: readonly string[]): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < raw.length; i += 2) headers.append(raw[i] ?? '', raw[i + 1] ?? '');
  return headers;
}

function connect(base: string): net.Socket {
  const { protocol, hostname, port } = new URL(base);
  if (protocol === 'https:') {
    return tls.connect({
      host: hostname,
      port: Number(port === '' ? 443 : port),
      servername: hostname,
    });
  }
  return net.connect({ host: hostname, port: Number(port === '' ? 80 : port) });
}

/**
 * Writes bytes to a bare socket and reads till the server closes it.
 * The bytes must make it do so: `Connection: close`, or what is not HTTP at all.
 */
export function overSocket(base: string, bytes: string | Uint8Array): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect(base);
    const chunks: Buffer[] = [];
    let failure: Error | undefined;
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`open after ${TIMEOUT_MS} ms`)));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', (error) => {
      failure = error;
    });
    socket.once('close', () => {
      const answer = parseAnswer(Buffer.concat(chunks));
      if (answer !== undefined) resolve(answer);
      else reject(failure ?? new Error('the socket closed without an HTTP answer'));
    });
    socket.write(bytes);
  });
}

function parseAnswer(all: Buffer): Answer | undefined {
  const headEnd = all.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const [statusLine = '', ...lines] = all.toString('latin1', 0, headEnd).split('\r\n');
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1];
  if (status === undefined) return undefined;
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const rest = all.subarray(headEnd + 4);
  const chunked = headers.get('transfer-encoding')?.toLowerCase() === 'chunked';
  return makeAnswer(Number(status), headers, chunked ? unchunk(rest) : rest);
}

function unchunk(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (!(size > 0)) break;
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
  return Buffer.concat(parts);
}

/** Sends bytes and goes away without waiting: politely (FIN) or not (RST). */
export function dropAfter(base: string, bytes: Uint8Array, how: 'FIN' | 'RST'): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(base);
    socket.once('error', reject);
    socket.once('close', () => {
      resolve();
    });
    socket.write(bytes, () => {
      // The moment lets the server take up what was sent, so that it is the drop it has to handle.
      setTimeout(() => {
        socket.removeAllListeners('error').on('error', () => undefined);
        if (how === 'RST') socket.resetAndDestroy();
        else socket.destroy();
      }, 100);
    });
  });
}
