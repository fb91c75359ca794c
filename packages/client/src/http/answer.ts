import type { ErrorBody } from '@tillroll/contract';
import { ExportError } from '../errors.ts';

/** More than any export object: 10,000 files of 500 bytes each, three times. */
const MAX_JSON_BYTES = 16 * 1024 * 1024;

/** The text of an answer, read no further than `MAX_JSON_BYTES`. */
async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += (chunk as Uint8Array).length;
    if (length > MAX_JSON_BYTES)
      throw new ExportError('PROTOCOL', `an answer of over ${MAX_JSON_BYTES} bytes is no export`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const SHOWN_LENGTH = 120;
/** What an error of the contract may say: the hours of a week in words, for example. */
const SAID_LENGTH = 500;

/** The beginning of a text, fit for a line of an error message. */
function shownText(text: string, most = SHOWN_LENGTH): string {
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  return line.length > most ? `${line.slice(0, most)}...` : line;
}

/** The JSON of an answer. @throws ExportError PROTOCOL when it is none. */
export async function jsonOf(response: Response, address: string): Promise<unknown> {
  const text = await boundedText(response);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const type = response.headers.get('content-type') ?? 'no type';
    throw new ExportError(
      'PROTOCOL',
      `${address} answered ${response.status} with ${type} instead of JSON: ${shownText(text)}`,
      { status: response.status, hint: 'Is this the address of an export API?', cause },
    );
  }
}

/** What a refusal says, in one line. */
export async function refusalText(response: Response): Promise<string> {
  const text = await boundedText(response).catch(() => '');
  let said = shownText(text);
  try {
    const body = JSON.parse(text) as Partial<ErrorBody> | null;
    const parts = [body?.message, body?.details].filter((part) => typeof part === 'string');
    said = shownText(parts.join(': '), SAID_LENGTH);
  } catch {
    // No JSON: shown as it is.
  }
  return said === '' ? `HTTP ${response.status}` : said;
}
