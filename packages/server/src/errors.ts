/** An error's message and those of its causes, on one line; for logs and for a terminal. */
export function oneLine(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error, depth = 0; at !== undefined && at !== null && depth < 5; depth++) {
    const message =
      at instanceof Error
        ? at.message || at.name
        : typeof at === 'string'
          ? at
          : JSON.stringify(at);
    // A wrapper often repeats its cause's text.
    if (!parts.some((part) => part.includes(message))) parts.push(message);
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts
    .join(': ')
    .split('\n')
    .map((line) => line.trim())
    .join(' ');
}

/** The `code` that Node's system errors and PostgreSQL's errors carry (`ENOSPC`, `57P01`). */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' ? code : undefined;
}
