import { Option, type Command } from 'commander';
import type { Format } from '@tillroll/client/files';
import type { Context } from '../context.ts';
import { addConnectionOptions, type ConnectionFlags } from '../connection/flags.ts';

/** As the library knows them; a test compares the two. */
export const FORMAT_NAMES = [
  'jsonl',
  'json',
  'csv',
  'parquet',
  'duckdb',
] as const satisfies Format[];

export interface PullFlags extends ConnectionFlags {
  from?: string;
  to?: string;
  out?: string;
  types?: string;
  format?: Format;
  gzip?: boolean;
  timezone?: string;
  sinceLast?: boolean;
  overlap?: string;
  concurrency: string;
  parallel: string;
  wait: boolean;
  timeout: string;
  plain?: boolean;
  json?: boolean;
  quiet?: boolean;
}

const EXAMPLES = `
Examples:
  $ tillroll pull --from 2024-01-01 --to 2025-01-01 --out sales/
      a year of orders and payments as JSON lines; run again after a crash, it goes on
  $ tillroll pull --from 2026-01-01 --out sales/ --format parquet --timezone America/New_York
      from a day in New York until now, as Parquet
  $ tillroll pull --since-last --overlap 14d --out sales/
      what is new, and the last 14 days once more for what changed late
  $ tillroll pull --region eu --types payments --from 2026-01-01 --out pay/ --no-wait
      from Clover's service for Europe; exit 75 when it is closed now
  $ tillroll pull --from 2026-01-01 --out sales/ --json | jq -c 'select(.event == "result")'
      for programs

Exit: 0 all is there, 1 failed, 2 usage, 75 try later, 130 interrupted.
`;

export function addPull(root: Command, context: Context): void {
  const command = root
    .command('pull')
    .description(
      'fetch all orders and payments of any span into a directory; resumes, checks, merges',
    )
    .option('--from <when>', 'first day or instant: 2026-01-31 or 2026-01-31T09:00:00Z')
    .option('--to <when>', 'end, exclusive (default: now)')
    .option('--out <dir>', 'the directory; made when it is not there')
    .option('--types <list>', 'what to fetch (default: as before, at first orders,payments)')
    .addOption(
      new Option(
        '--format <format>',
        'how it is stored (default: as before, at first jsonl)',
      ).choices(FORMAT_NAMES),
    )
    .option('--gzip', 'compress JSON and JSON lines')
    .option(
      '--timezone <name>',
      'what a day means, such as Europe/Berlin (default: as before, at first UTC)',
    )
    .option('--since-last', 'go on where the directory ends')
    .option('--overlap <duration>', 'with --since-last: fetch so much again (default: 7d)')
    .option('--concurrency <n>', 'exports open at once', '1')
    .option('--parallel <n>', 'files downloaded at once', '4')
    .option('--no-wait', 'exit 75 rather than wait until the service opens or has room')
    .option('--timeout <duration>', 'how long one export may take', '12h')
    .option('--plain', 'progress as lines, also on a terminal')
    .option('--json', 'events as JSON lines on stdout, no other progress')
    .option('--quiet', 'say nothing but errors');
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (flags: PullFlags) => (await import('../actions/pull.ts')).pull(flags, context));
}
