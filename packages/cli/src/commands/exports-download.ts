/** `tillroll exports download`: downloads the raw files of one export. */
import type { Command } from 'commander';
import { addConnectionOptions, type ConnectionFlags } from '../connection/flags.ts';
import type { Context } from '../context.ts';
import { createMeter, type MeterFlags } from '../display/meter.ts';
import { waitingText } from '../display/words.ts';
import { byteSize, counted } from '../format.ts';
import { parseFileMode, parseNumber } from '../parse/numbers.ts';
import { printJson } from '../print.ts';

interface DownloadFlags extends ConnectionFlags, MeterFlags {
  out: string;
  gzip?: boolean;
  fileMode: string;
  parallel: string;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  $ tillroll exports download 46W0PSXERJTCS --out january/
  $ tillroll exports download 46W0PSXERJTCS --out january/ --json | jq -r '.files[].path'
`;

export function addDownload(group: Command, context: Context): void {
  const command = group
    .command('download')
    .description('fetch and check all files of an export; run it again to continue')
    .argument('<id>', "the export's id")
    .requiredOption('--out <dir>', 'the directory; created when it does not exist')
    .option('--gzip', 'compress the files')
    .option('--file-mode <octal>', 'permissions of the files', '600')
    .option('--parallel <n>', 'files downloaded at once', '4')
    .option('--plain', 'progress as lines, also on a terminal')
    .option('--quiet', 'print errors only')
    .option('--json', 'print the files, their objects, lengths and SHA-256');
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((id: string, flags: DownloadFlags) => download(id, flags, context));
}

async function download(id: string, flags: DownloadFlags, context: Context): Promise<void> {
  const downloads = parseNumber('--parallel', flags.parallel);
  const fileMode = parseFileMode('--file-mode', flags.fileMode);
  const { connect } = await import('../connection/connect.ts');
  const client = await connect(flags, context);
  context.whenInterrupted = 'interrupted. Run the same command again to continue';
  const meter = await createMeter(context, flags);
  try {
    const result = await client.download(id, {
      out: flags.out,
      gzip: flags.gzip,
      fileMode,
      downloads,
      signal: context.signal,
      onWaiting: (waiting) => meter.waiting(waitingText(waiting, Date.now())),
      onProgress: ({ files, filesTotal, objects, bytes }) =>
        meter.update(
          filesTotal === 0 ? 1 : files / filesTotal,
          'downloading',
          `${files} of ${counted(filesTotal, 'file')}, ${counted(objects, 'object')}, ${byteSize(bytes)}`,
        ),
    });
    meter.stop();
    if (flags.json) printJson(context, result);
    else if (!flags.quiet) {
      const bytes = result.files.reduce((sum, file) => sum + file.bytes, 0);
      context.note(
        `${flags.out}: ${counted(result.files.length, 'file')}, ${counted(result.objects, 'object')}, ${byteSize(bytes)}`,
      );
    }
  } finally {
    meter.stop();
  }
}
