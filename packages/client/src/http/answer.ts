/** Reads the body of an answer as JSON, or as a refusal. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { ErrorBody } from '@tillroll/contract';
import { ExportError } from '../errors.ts';
import { findHeader, isGzipAnnounced } from './headers.ts';
import type { HttpAnswer } from './request.ts';

/** More than any export object: 10,000 files of 500 bytes each, three times. */
const MAX_JSON_BYTES = 16 * 1024 * 1024;
/** Characters of a text that an error message shows. */
const SHOWN_LENGTH = 120;
/** An error of the contract may be as long as the hours of a week in words. */
const MAX_REFUSAL_LENGTH = 500;

const GZIP_BYTE = 0x1f;

const gunzipAsync = promisify(gunzip);

function tooLongError(): ExportError {
  return new ExportError('PROTOCOL', `an answer of over ${MAX_JSON_BYTES} bytes is not an export`);
}

/** Reads the text of an answer, `MAX_JSON_BYTES` at most. */
async function readText(answer: HttpAnswer): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer.body()) {
    length += chunk.length;
    if (length > MAX_JSON_BYTES) throw tooLongError();
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  // The bytes decide: proxies inflate and keep the header, or compress without one. JSON never begins like gzip.
  if (bytes[0] !== GZIP_BYTE) return bytes.toString('utf8');
  try {
    return (await gunzipAsync(bytes, { maxOutputLength: MAX_JSON_BYTES })).toString('utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLongError();
    throw new ExportError('NETWORK', 'the answer is gzip that is damaged', { cause });
  }
}

/** Shortens a text to one line of an error message. */
function excerpt(text: string, most = SHOWN_LENGTH): string {
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  return line.length > most ? `${line.slice(0, most)}...` : line;
}

/** Reads the JSON of an answer. @throws ExportError PROTOCOL, NETWORK, INTERRUPTED */
export async function readJson(answer: HttpAnswer, address: string): Promise<unknown> {
  const text = await readText(answer);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const { status, headers } = answer;
    const type = findHeader(headers, 'content-type') ?? 'no type';
    const encoding = findHeader(headers, 'content-encoding') ?? 'identity';
    const isKnown = /^identity$/i.test(encoding) || isGzipAnnounced(headers);
    throw new ExportError(
      'PROTOCOL',
      isKnown
        ? `${address} answered ${status} with ${type} instead of JSON: ${excerpt(text)}`
        : `${address} answered ${status} encoded as ${excerpt(encoding)}, which was not asked for`,
      { status: answer.status, hint: 'Check that this is the address of an export API', cause },
    );
  }
}

/** A refusal, as its answer states it. */
export interface Refusal {
  /** One line, with the status in it. */
  text: string;
  /** True when it is JSON, as every answer of an export API is. */
  isJson: boolean;
}

/** Reads the text of a refusal. @throws ExportError INTERRUPTED */
export async function readRefusal(answer: HttpAnswer): Promise<Refusal> {
  const { status, headers } = answer;
  const body = await readText(answer).catch((error: unknown) => {
    if (error instanceof ExportError && error.code === 'INTERRUPTED') throw error;
    return '';
  });
  try {
    const error = JSON.parse(body) as Partial<ErrorBody> | null;
    const parts = [error?.message, error?.details].filter((part) => typeof part === 'string');
    const text = excerpt(parts.join(': '), MAX_REFUSAL_LENGTH);
    // The contract's messages begin with the status.
    if (text.startsWith(String(status))) return { text, isJson: true };
    return { text: text === '' ? `HTTP ${status}` : `${status}: ${text}`, isJson: true };
  } catch {
    const shown = excerpt(body);
    const type = findHeader(headers, 'content-type') ?? 'no type';
    const text = shown === '' ? `HTTP ${status}` : `${status} with ${excerpt(type)}: ${shown}`;
    return { text, isJson: false };
  }
}
