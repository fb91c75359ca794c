/** The file in a store that names the database it belongs to. */

/** The name of the file that says which database the store belongs to. It moves along with the files. */
export const IDENTITY_FILE = 'tillroll-store.json';

export function formatIdentity(id: string): string {
  return `${JSON.stringify({ store: id })}\n`;
}

/** Reads the identity's file. @param location for the message. @throws Error when it is damaged. */
export function parseIdentity(location: string, text: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = null;
  }
  const id: unknown =
    typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, 'store') : null;
  if (typeof id === 'string' && id !== '') return id;
  throw new Error(`${location} is damaged: restore it from a backup of the store`);
}
