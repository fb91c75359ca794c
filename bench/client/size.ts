import { median, run, seconds } from '../measure.ts';
import { report } from '../report.ts';
import type { Installed } from './installed.ts';

const IMPORT =
  "const t = performance.now(); await import('@tillroll/client'); console.log(performance.now() - t)";

/** Measures the size of the client, and the time to import it. */
export async function measureSize(installed: Installed, rounds: number): Promise<void> {
  const { project, bin, clientBytes } = installed;
  const helps: number[] = [];
  const imports: number[] = [];
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    helps.push(await seconds(() => run(process.execPath, [bin, '--help'])));
    const args = ['--input-type=module', '-e', IMPORT];
    imports.push(Number((await run(process.execPath, args, { cwd: project })).stdout));
  }
  const help = median(helps.slice(1));
  report('tillroll --help', `${help.toFixed(3)} s`, 'under 0.2 s', help < 0.2);
  const time = median(imports.slice(1));
  report('import of the library', `${time.toFixed(1)} ms`, 'under 20 ms', time < 20);
  const size = `${(clientBytes / 1000).toFixed(1)} kB`;
  report('packed client', size, 'under 100 kB', clientBytes < 100_000);
}
