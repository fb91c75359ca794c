/** Installs the packed command for the bench. */
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../measure.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const PACKED = ['contract', 'client', 'formats', 'cli'] as const;

/** The command as its users have it: packed, and installed into a project of its own. */
export interface Installed {
  project: string;
  bin: string;
  /** Bytes of the client's tarball. */
  clientBytes: number;
}

export async function installCommand(directory: string): Promise<Installed> {
  const project = join(directory, 'project');
  await mkdir(project);
  const sizes = new Map<string, number>();
  const tarballs: string[] = [];
  for (const name of PACKED) {
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', project], {
      cwd: join(CHECKOUT, 'packages', name),
    });
    const [packed] = JSON.parse(stdout) as [{ filename: string; size: number }];
    sizes.set(name, packed.size);
    tarballs.push(`./${packed.filename}`);
  }
  await run('npm', ['init', '-y'], { cwd: project });
  const flags = ['--no-audit', '--no-fund', '--prefer-offline'];
  await run('npm', ['install', ...flags, ...tarballs], { cwd: project });
  // Users who want Parquet install it. Here it is the one of the checkout.
  await symlink(join(CHECKOUT, 'node_modules/@duckdb'), join(project, 'node_modules/@duckdb'));
  return {
    project,
    bin: join(project, 'node_modules/tillroll/bin/tillroll.js'),
    clientBytes: sizes.get('client') ?? Number.NaN,
  };
}
