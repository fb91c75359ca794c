/** Counts an attack's requests and their answers, for the line under its row. */
export class Tally {
  opened = 0;
  refused = 0;
  sentBytes = 0;
  receivedBytes = 0;
  readonly #statuses = new Map<string, number>();

  get answers(): number {
    return [...this.#statuses.values()].reduce((sum, count) => sum + count, 0);
  }

  countAnswer(status: string): void {
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
  }

  toString(): string {
    const answers = [...this.#statuses]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([status, count]) => `${count} x ${status}`);
    return [
      `${this.opened} connections`,
      ...(this.refused > 0 ? [`${this.refused} refused`] : []),
      `sent ${megabytes(this.sentBytes)}`,
      `received ${megabytes(this.receivedBytes)}`,
      answers.length > 0 ? `answers: ${answers.join(', ')}` : 'no answers',
    ].join(', ');
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 10e6 ? 2 : 0)} MB`;
}
