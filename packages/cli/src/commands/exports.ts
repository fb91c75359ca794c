import type { Command } from 'commander';
import { addConnectionOptions, type ConnectionFlags } from '../connection/flags.ts';
import type { Context } from '../context.ts';

export interface CreateFlags extends ConnectionFlags {
  type: string;
  from: string;
  to: string;
  timezone?: string;
  wait: boolean;
}

export interface WaitFlags extends ConnectionFlags {
  timeout: string;
  plain?: boolean;
  quiet?: boolean;
}

export interface DownloadFlags extends ConnectionFlags {
  out: string;
  gzip?: boolean;
  parallel: string;
  plain?: boolean;
  quiet?: boolean;
  json?: boolean;
}

export interface ListFlags extends ConnectionFlags {
  limit?: string;
  offset?: string;
}

const GROUP_EXAMPLES = `
The single steps of what "tillroll pull" does by itself:
  $ ID=$(tillroll exports create --type orders --from 2026-01-01 --to 2026-01-31 | jq -r .id)
  $ tillroll exports wait $ID
  $ tillroll exports download $ID --out january/
`;

const CREATE_EXAMPLES = `
Examples:
  $ tillroll exports create --type orders --from 2026-01-01 --to 2026-01-31
  $ tillroll exports create --type payments --from 2026-03-01 --to 2026-03-31 \\
      --timezone America/New_York --no-wait
`;
const SHOW_EXAMPLES = `
Example:
  $ tillroll exports show 46W0PSXERJTCS
`;
const WAIT_EXAMPLES = `
Examples:
  $ tillroll exports wait 46W0PSXERJTCS
  $ tillroll exports wait 46W0PSXERJTCS --timeout 30m --quiet | jq '.exportUrls.elements | length'
`;
const DOWNLOAD_EXAMPLES = `
Examples:
  $ tillroll exports download 46W0PSXERJTCS --out january/
  $ tillroll exports download 46W0PSXERJTCS --out january/ --gzip --json | jq -r '.files[].path'
`;
const LIST_EXAMPLES = `
Example:
  $ tillroll exports list --limit 20 | jq -r '.elements[] | [.id, .type, .status] | @tsv'
`;

/** Loaded only when one of them runs. */
const actions = () => import('../actions/exports.ts');

export function addExports(root: Command, context: Context): void {
  const group = root
    .command('exports')
    .description('single exports: create, show, wait, download, list; JSON on stdout')
    .addHelpText('after', GROUP_EXAMPLES);

  addConnectionOptions(
    group
      .command('create')
      .description('ask for an export of at most 30 days and print it')
      .requiredOption('--type <type>', 'orders or payments')
      .requiredOption('--from <when>', 'first day or instant')
      .requiredOption('--to <when>', 'end, exclusive')
      .option('--timezone <name>', 'what a day means (default: UTC)')
      .option('--no-wait', 'exit 75 rather than wait until the service opens or has room'),
  )
    .addHelpText('after', CREATE_EXAMPLES)
    .action(async (flags: CreateFlags) => (await actions()).create(flags, context));

  addConnectionOptions(
    group.command('show').description('print an export').argument('<id>', "the export's id"),
  )
    .addHelpText('after', SHOW_EXAMPLES)
    .action(async (id: string, flags: ConnectionFlags) =>
      (await actions()).show(id, flags, context),
    );

  addConnectionOptions(
    group
      .command('wait')
      .description('wait until an export is done and print it')
      .argument('<id>', "the export's id")
      .option('--timeout <duration>', 'how long at most', '12h')
      .option('--plain', 'progress as lines, also on a terminal')
      .option('--quiet', 'say nothing but errors'),
  )
    .addHelpText('after', WAIT_EXAMPLES)
    .action(async (id: string, flags: WaitFlags) => (await actions()).wait(id, flags, context));

  addConnectionOptions(
    group
      .command('download')
      .description('fetch and check all files of an export')
      .argument('<id>', "the export's id")
      .requiredOption('--out <dir>', 'the directory; made when it is not there')
      .option('--gzip', 'compress the files')
      .option('--parallel <n>', 'files downloaded at once', '4')
      .option('--plain', 'progress as lines, also on a terminal')
      .option('--quiet', 'say nothing but errors')
      .option('--json', 'print the files, their objects, lengths and SHA-256'),
  )
    .addHelpText('after', DOWNLOAD_EXAMPLES)
    .action(async (id: string, flags: DownloadFlags) =>
      (await actions()).download(id, flags, context),
    );

  addConnectionOptions(
    group
      .command('list')
      .description("print the exports of this app's install, newest first (Tillroll only)")
      .option('--limit <n>', 'how many at most')
      .option('--offset <n>', 'how many to leave out'),
  )
    .addHelpText('after', LIST_EXAMPLES)
    .action(async (flags: ListFlags) => (await actions()).list(flags, context));
}
