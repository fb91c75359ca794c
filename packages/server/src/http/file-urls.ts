/** Makes the signed URLs of an export's files. */
import { setImmediate } from 'node:timers/promises';

/** About a millisecond of signing. */
const SLICE = 256;

/**
 * Mints the URLs of an export's files, in file order. Thousands take tens of milliseconds, so other
 * requests have their turns in between.
 */
export async function mintUrls(
  count: number,
  mint: (position: number) => string,
): Promise<string[]> {
  const urls: string[] = [];
  for (let position = 0; position < count; position++) {
    if (position % SLICE === 0) await setImmediate();
    urls.push(mint(position));
  }
  return urls;
}
