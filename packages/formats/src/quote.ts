/** Quotes texts, names and file patterns for SQL. */

/** A text in SQL. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A path where DuckDB takes a pattern: its special characters stand for themselves. */
export function quotePattern(path: string): string {
  return quote(path.replaceAll(/[[*?]/g, '[$&]'));
}

/** A name in SQL. */
export function quoteName(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
