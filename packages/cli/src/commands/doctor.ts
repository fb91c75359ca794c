/** `tillroll doctor`: checks the machine, the server and the token, one line for each. */
import type { Command } from 'commander';
import { addConnectionOptions, type ConnectionFlags } from '../connection/flags.ts';
import type { Context } from '../context.ts';
import { checkLines, hasFailed } from '../doctor/check.ts';
import { EXIT } from '../exit.ts';
import { parseTypes } from '../parse/types.ts';
import { printJson, printLines } from '../print.ts';

interface DoctorFlags extends ConnectionFlags {
  types: string;
  out: string;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  $ tillroll doctor
  ok       address      https://exports.example.com answers as an export API (41 ms)
  ok       token        accepted for merchant SHOP
  failed   permissions  the token lacks PAYMENTS_R. Ask for it, or use --types orders
  ok       clock        this machine's clock agrees with the server's
  warning  hours        closed, opens at 01:00 UTC (in 3 h 12 min); open daily 01:00-05:00 UTC
  ok       DuckDB       installed
  ok       disk         /home/ana can be written, 212 GB free
  $ tillroll doctor --profile shop --types orders --out /srv/sales

No export is created, and nothing stays on the disk.
Exit: 0 nothing failed, 1 otherwise.
`;

export function addDoctor(root: Command, context: Context): void {
  const command = root
    .command('doctor')
    .description('check what a pull needs: address, token, permissions, clock, hours, DuckDB, disk')
    .option('--types <list>', 'what the token is to read', 'orders,payments')
    .option('--out <dir>', 'the directory of the pull', '.')
    .option('--json', 'as JSON');
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((flags: DoctorFlags) => doctor(flags, context));
}

async function doctor(flags: DoctorFlags, context: Context): Promise<void> {
  const types = parseTypes(flags.types);
  const [{ connect }, { checkServer, DOCTOR_RETRY }, machine, { tables }] = await Promise.all([
    import('../connection/connect.ts'),
    import('../doctor/check-server.ts'),
    import('../doctor/check-machine.ts'),
    import('@tillroll/formats'),
  ]);
  const client = await connect(flags, context, { wait: false, retry: DOCTOR_RETRY });
  const checks = [
    ...(await checkServer(client, types, context.signal)),
    await machine.checkDuckdb(tables),
    await machine.checkDisk(flags.out),
  ];
  context.exitCode = hasFailed(checks) ? EXIT.failed : EXIT.complete;
  if (flags.json) printJson(context, checks);
  else printLines(context, checkLines(checks));
}
