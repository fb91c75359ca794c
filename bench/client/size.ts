import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, run, seconds } from '../measure.ts';
import { report } from '../report.ts';
import { CLIENT_BIN } from '../../scripts/client-process.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const IMPORT =
  "const t = performance.now(); await import('@tillroll/client'); console.log(performance.now() - t)";

/** What the client weighs, and how long it takes to be there. */
export async function measureSize(rounds: number): Promise<void> {
  const helps: number[] = [];
  for (let round = 0; round <= rounds; round++)
    helps.push(await seconds(() => run(process.execPath, [CLIENT_BIN, '--help'])));
  const help = median(helps.slice(1));
  report('tillroll --help', `${help.toFixed(3)} s`, 'under 0.2 s', help < 0.2);

  const project = await mkdtemp(join(tmpdir(), 'tillroll-packed-'));
  try {
    for (const name of ['contract', 'client']) {
      const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', project], {
        cwd: join(CHECKOUT, 'packages', name),
      });
      const [packed] = JSON.parse(stdout) as [{ filename: string; size: number }];
      const target = join(project, 'node_modules/@tillroll', name);
      await mkdir(target, { recursive: true });
      await run('tar', [
        'xzf',
        join(project, packed.filename),
        '-C',
        target,
        '--strip-components=1',
      ]);
      if (name === 'client')
        report(
          'packed client',
          `${(packed.size / 1000).toFixed(1)} kB`,
          'under 40 kB',
          packed.size < 40_000,
        );
    }
    const imports: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const args = ['--input-type=module', '-e', IMPORT];
      imports.push(Number((await run(process.execPath, args, { cwd: project })).stdout));
    }
    const time = median(imports.slice(1));
    report('import of the packed library', `${time.toFixed(1)} ms`, 'under 20 ms', time < 20);
  } finally {
    await rm(project, { recursive: true, force: true });
  }
}
