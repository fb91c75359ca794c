/** Declares all commands with commander. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addDoctor } from './commands/doctor.ts';
import { addExports } from './commands/exports.ts';
import { addHours } from './commands/hours.ts';
import { addProfile } from './commands/profile.ts';
import { addPull } from './commands/pull.ts';
import { addVerify } from './commands/verify.ts';
import type { Context } from './context.ts';

const AFTER = `
Examples:
  $ tillroll profile add default --url https://exports.example.com --merchant SHOP
  $ tillroll pull --from 2024-01-01 --to 2025-01-01 --out sales/
  $ tillroll pull --since-last --out sales/
  $ tillroll verify sales/
  $ tillroll hours --region us
  $ tillroll doctor

"tillroll COMMAND --help" shows the options and examples of each.

Connection: options, then TILLROLL_URL, TILLROLL_MERCHANT and TILLROLL_TOKEN, then a profile.
Exit: 0 complete, 1 failed, 2 usage, 75 try later, 130 interrupted.
`;

function readVersion(): string {
  // package.json is as far from dist/ as from src/.
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** A message of commander without values: one of them may be a token in the wrong place. */
export function withoutValues(text: string): string {
  return text
    .replace(/^error: /, '')
    .replace(/(unknown option '[^'=]*)=[\s\S]*?'(?=\s*(\(|$))/, "$1'")
    .replace(
      /(too many arguments for .*? but got \d+)([\s\S]*)/,
      (_all, what: string, values: string) =>
        /^: (?:true|false|yes|no|on|off)\.?\s*$/i.test(values)
          ? `${what}. A switch such as --gzip takes no value: write it alone, or omit it`
          : what,
    );
}

/** All commands. A command loads what it needs when it runs, so that `--help` is fast. */
export function createProgram(context: Context): Command {
  const root = new Command('tillroll')
    .description("Any span of a merchant's orders and payments, from Tillroll or from Clover")
    .version(readVersion(), '-V, --version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
      outputError: (text) => context.note(withoutValues(text)),
    })
    .addHelpText('after', AFTER);
  addPull(root, context);
  addExports(root, context);
  addHours(root, context);
  addVerify(root, context);
  addDoctor(root, context);
  addProfile(root, context);
  return root;
}
