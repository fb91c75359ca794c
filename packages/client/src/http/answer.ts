import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { ErrorBody } from '@tillroll/contract';
import { ExportError } from '../errors.ts';
import { findHeader, isGzipAnnounced } from './headers.ts';
import type { HttpAnswer } from './request.ts';

/** More than any export object: 10,000 files of 500 bytes each, three times. */
const MAX_JSON_BYTES = 16 * 1024 * 1024;
const SHOWN_LENGTH = 120;
/** An error of the contract may be as long as the hours of a week in words. */
const SAID_LENGTH = 500;

const GZIP_BYTE = 0x1f;

const inflate = promisify(gunzip);

function tooLong(): ExportError {
  return new ExportError('PROTOCOL', `an answer of over ${MAX_JSON_BYTES} bytes is not an export`);
}

/** @returns the text of an answer; at most `MAX_JSON_BYTES` are read. */
async function readText(answer: HttpAnswer): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer.body()) {
    length += chunk.length;
    if (length > MAX_JSON_BYTES) throw tooLong();
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  // The bytes decide: proxies inflate and keep the header, or compress without one. JSON never begins like gzip.
  if (bytes[0] !== GZIP_BYTE) return bytes.toString('utf8');
  try {
    return (await inflate(bytes, { maxOutputLength: MAX_JSON_BYTES })).toString('utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLong();
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

/** The text of a refusal. */
export interface Refusal {
  /** One line, with the status in it. */
  said: string;
  /** True when it is JSON, as every answer of an export API is. */
  isJson: boolean;
}

/** Reads what a refusal says. @throws ExportError INTERRUPTED */
export async function readRefusal(answer: HttpAnswer): Promise<Refusal> {
  const { status, headers } = answer;
  const text = await readText(answer).catch((error: unknown) => {
    if (error instanceof ExportError && error.code === 'INTERRUPTED') throw error;
    return '';
  });
  try {
    const body = JSON.parse(text) as Partial<ErrorBody> | null;
    const parts = [body?.message, body?.details].filter((part) => typeof part === 'string');
    const said = excerpt(parts.join(': '), SAID_LENGTH);
    // The contract's messages begin with it.
    if (said.startsWith(String(status))) return { said, isJson: true };
    return { said: said === '' ? `HTTP ${status}` : `${status}: ${said}`, isJson: true };
  } catch {
    const said = excerpt(text);
    const type = findHeader(headers, 'content-type') ?? 'no type';
    const shown = said === '' ? `HTTP ${status}` : `${status} with ${excerpt(type)}: ${said}`;
    return { said: shown, isJson: false };
  }
}
