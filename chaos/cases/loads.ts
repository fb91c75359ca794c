import type { Case, Stage } from '../case.ts';
import { checkExports, checkLeftovers, recover, type FindExpected } from '../scene/check.ts';
import { Deployment } from '../scene/deployment.ts';
import { createExport } from '../scene/exports.ts';
import { checkStored, Generations, Loading } from '../scene/generations.ts';

const ROWS = 20_000;
/** The worker reads at this rate, so that several loads are committed during an export. */
const BYTES_PER_SECOND = 3_000_000;

/** Loads rewrite all rows at full speed while exports read them: each export holds one moment. */
export const loads: Case = {
  name: 'loads',
  about: 'loads at full speed on the exported rows during exports: each holds one generation',
  boundS: 45,
  runs: { long: 20, short: 2 },
  run,
};

async function run(stage: Stage): Promise<void> {
  const { tally, runs } = stage;
  await using deployment = await Deployment.create(stage, { storage: 'directory', isLinked: true });
  const direct = { DATABASE_URL: deployment.directUrl };
  const first = await deployment.start('serve', direct);
  const second = await deployment.start('serve', direct);
  const api = await deployment.addMerchant('LOADS', 0);
  const generations = new Generations(ROWS);
  const loading = new Loading(api, generations);
  await loading.loadOnce(deployment);
  await deployment.start('work');
  deployment.setLink({ bytesPerSecond: BYTES_PER_SECOND });
  const seen = new Set<number>();
  loading.begin([first.url, second.url]);
  try {
    for (; tally.runs < runs; tally.runs++) {
      const earliest = loading.acknowledged;
      await createExport(deployment, api);
      const started = performance.now();
      await recover(stage, deployment, started);
      const latest = loading.begun;
      tally.measure('loads under way in each export', latest - earliest, 1, 1_000_000);
      const findExpected: FindExpected = (merchant, files, id) => {
        const generation = generations.parse(files);
        seen.add(generation);
        if (generation < earliest || generation > latest)
          tally.complain('wrong', `export ${id} is of a load that was over, or not begun`);
        return generations.findExpected(merchant, files, id);
      };
      await checkExports(stage, deployment, findExpected);
    }
  } finally {
    await loading.end();
  }
  tally.measure('generations in the exports', seen.size, Math.min(runs, 2), runs);
  const fault = await checkStored(deployment, 'LOADS', loading);
  if (fault !== null) tally.complain('lost', fault);
  deployment.setLink('open');
  await checkLeftovers(stage, deployment);
}
