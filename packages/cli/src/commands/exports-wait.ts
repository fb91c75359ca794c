/** `tillroll exports wait`: waits until an export is DONE. */
import type { Command } from 'commander';
import { addConnectionOptions, type ConnectionFlags } from '../connection/flags.ts';
import type { Context } from '../context.ts';
import { createMeter, type MeterFlags } from '../display/meter.ts';
import { waitingText } from '../display/words.ts';
import { MAX_TIMEOUT, parseDuration } from '../parse/durations.ts';
import { printJson } from '../print.ts';

interface WaitFlags extends ConnectionFlags, MeterFlags {
  timeout: string;
}

const EXAMPLES = `
Examples:
  $ tillroll exports wait 46W0PSXERJTCS
  $ tillroll exports wait 46W0PSXERJTCS --timeout 30m --quiet | jq '.exportUrls.elements | length'
`;

export function addWait(group: Command, context: Context): void {
  const command = group
    .command('wait')
    .description('wait until an export is done and print it')
    .argument('<id>', "the export's id")
    .option('--timeout <duration>', 'how long at most', '12h')
    .option('--plain', 'progress as lines, also on a terminal')
    .option('--quiet', 'print errors only');
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((id: string, flags: WaitFlags) => wait(id, flags, context));
}

async function wait(id: string, flags: WaitFlags, context: Context): Promise<void> {
  const timeoutMs = parseDuration('--timeout', flags.timeout, MAX_TIMEOUT);
  const { connect } = await import('../connection/connect.ts');
  const client = await connect(flags, context);
  const meter = await createMeter(context, flags);
  try {
    const exported = await client.wait(id, {
      signal: context.signal,
      timeoutMs,
      onWaiting: (waiting) => meter.waiting(waitingText(waiting, Date.now())),
      onProgress: ({ status, percentComplete }) => meter.update(percentComplete / 100, status),
    });
    meter.stop();
    printJson(context, exported);
  } finally {
    meter.stop();
  }
}
