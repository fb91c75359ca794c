/** `tillroll verify`: checks a directory against its receipt, offline. */
import type { Command } from 'commander';
import type { VerifyResult } from '@tillroll/client/files';
import type { Context } from '../context.ts';
import { createMeter, type MeterFlags } from '../display/meter.ts';
import { oneLine } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { byteSize, counted } from '../format.ts';
import { printJson, printLines } from '../print.ts';

interface VerifyFlags extends MeterFlags {
  json?: boolean;
}

const EXAMPLES = `
Examples:
  $ tillroll verify sales/
  sales/: complete and unaltered: 26 files, 624,817 objects, 812 MB
  $ tillroll verify sales/ --json | jq .faults

Exit: 0 everything is there and unaltered, 1 otherwise.
`;

export function addVerify(root: Command, context: Context): void {
  root
    .command('verify')
    .description('check a directory against its receipt, offline')
    .argument('<dir>', 'a directory that "tillroll pull" wrote')
    .option('--plain', 'progress as lines, also on a terminal')
    .option('--quiet', 'print faults only')
    .option('--json', 'print the whole result as JSON')
    .addHelpText('after', EXAMPLES)
    .action((directory: string, flags: VerifyFlags) => verify(directory, flags, context));
}

async function verify(directory: string, flags: VerifyFlags, context: Context): Promise<void> {
  const files = await import('@tillroll/client/files');
  const meter = await createMeter(context, flags);
  try {
    const result = await files.verify(directory, {
      signal: context.signal,
      onProgress: ({ path, done, total }) =>
        meter.update(total === 0 ? 1 : done / total, 'checking', path),
    });
    meter.stop();
    const isVerified = result.complete && result.faults.length === 0;
    context.exitCode = isVerified ? EXIT.complete : EXIT.failed;
    if (flags.json) return printJson(context, result);
    const lines = isVerified
      ? [`${directory}: complete and unaltered: ${amount(result)}`]
      : faultLines(directory, result);
    if (!isVerified || !flags.quiet) printLines(context, lines.map(oneLine));
  } finally {
    meter.stop();
  }
}

function amount({ checked: { files, objects, bytes } }: VerifyResult): string {
  return `${counted(files, 'file')}, ${counted(objects, 'object')}, ${byteSize(bytes)}`;
}

/** A line for each fault, the verdict, and what to do. */
function faultLines(directory: string, result: VerifyResult): string[] {
  const { faults, receipt, complete, isSound } = result;
  const altered = counted(faults.length - receipt.missing.length, 'fault');
  const verdict = isSound
    ? 'unaltered, but not complete'
    : complete
      ? altered
      : `not complete, ${altered}`;
  return [
    ...faults.map(({ path, message }) => `${path}: ${message}`),
    `${directory}: ${verdict}; checked ${amount(result)}`,
    'Run the pull again to fetch what is missing. Delete an altered file first.',
  ];
}
