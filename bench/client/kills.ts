/** Shows that pulls survive kills at random moments. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { report } from '../report.ts';
import { tillroll, type Connection } from './command.ts';
import { digestOfDirectory, SPAN } from './directory.ts';

/** Kills pulls at random moments, lets each be continued to its end, and compares the files with those of one that was not killed. */
export async function measureKills(
  connection: Connection,
  directory: string,
  objects: number,
  kills: number,
): Promise<void> {
  const whole = join(directory, 'whole');
  const killed = join(directory, 'killed');
  const pull = (out: string): string[] => ['pull', ...SPAN, '--out', out, '--quiet'];
  const { seconds } = await tillroll(pull(whole), connection);
  const expected = await digestOfDirectory(whole);
  let identical = 0;
  let landed = 0;
  for (let round = 0; round < kills; round++) {
    await rm(killed, { recursive: true, force: true });
    // From the start of the process to its end: any moment is fair.
    const first = await tillroll(pull(killed), connection, Math.random() * seconds * 1000);
    if (first.signal === 'SIGKILL') landed++;
    await tillroll(pull(killed), connection);
    if ((await digestOfDirectory(killed)) === expected) identical++;
  }
  report(
    `SIGKILL at a random moment of a pull of ${objects} orders and their payments, then resumed`,
    `${identical} of ${kills} identical to the uninterrupted result (${landed} kills landed)`,
    'all',
    identical === kills,
  );
  if (identical !== kills) process.exitCode = 1;
}
