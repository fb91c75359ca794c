/** An instant as people write it: whole seconds unless it has a fraction. */
export function instant(time: number | string): string {
  return new Date(time).toISOString().replace('.000Z', 'Z');
}

/** When something was said, for a log. */
export function wholeSecond(time: number): string {
  return instant(Math.floor(time / 1000) * 1000);
}
