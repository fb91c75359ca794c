import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';

/** The first Node of PATH that is older than what the server needs, or undefined. */
export function olderNode(): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, 'node'))
    .find((node) => {
      const printed = spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' });
      return printed.status === 0 && Number.parseInt(printed.stdout, 10) < 24;
    });
}
