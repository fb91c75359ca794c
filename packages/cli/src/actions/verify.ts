import { verify } from '@tillroll/client/files';
import type { VerifyFlags } from '../commands/verify.ts';
import type { Context } from '../context.ts';
import { createMeter } from '../display/meter.ts';
import { oneLine } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { byteSize, counted } from '../numbers.ts';
import { printJson } from './print.ts';

/** `tillroll verify` */
export async function verifyDirectory(
  directory: string,
  flags: VerifyFlags,
  context: Context,
): Promise<void> {
  const meter = await createMeter(context, flags);
  try {
    const result = await verify(directory, {
      signal: context.signal,
      onProgress: ({ path, done, total }) =>
        meter.update(total === 0 ? 1 : done / total, 'checking', path),
    });
    meter.stop();
    const { complete, checked, faults } = result;
    const isSound = complete && faults.length === 0;
    context.exitCode = isSound ? EXIT.complete : EXIT.failed;
    if (flags.json) return printJson(context, result);

    const lines = faults.map(({ path, message }) => `${path}: ${oneLine(message)}`);
    const amount = `${counted(checked.files, 'file')}, ${counted(checked.objects, 'object')}, ${byteSize(checked.bytes)}`;
    if (!isSound)
      lines.push(`${directory}: ${verdict(complete, faults.length)}; checked ${amount}`, REMEDY);
    else if (!flags.quiet) lines.push(`${directory}: complete and unaltered: ${amount}`);
    context.stdout.write(lines.map((line) => `${line}\n`).join(''));
  } finally {
    meter.stop();
  }
}

const REMEDY =
  'what is missing comes with the same pull again; a file that was altered does once it is deleted';

function verdict(complete: boolean, faults: number): string {
  const found = counted(faults, 'fault');
  if (complete) return found;
  return faults === 0 ? 'unaltered, but not complete' : `not complete, ${found}`;
}
