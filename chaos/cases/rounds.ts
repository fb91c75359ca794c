import { setTimeout as delay } from 'node:timers/promises';
import type { Stage } from '../case.ts';
import type { Api } from '../scene/api.ts';
import { checkExports, countOpen, recover, type FindExpected } from '../scene/check.ts';
import type { Deployment } from '../scene/deployment.ts';
import { createExports, measureExports, waitForStart } from '../scene/exports.ts';
import { readExpectedFiles } from '../scene/source.ts';

/** Rounds in which the exports were over before the fault came, before a case gives up. */
const MAX_MISSES = 20;
const EXPORTS = 2;

export interface Rounds {
  readonly api: Api;
  /**
   * Causes the fault, and resolves when it is over.
   * @param ids the exports under way. @returns `missed` when it turned out to have met none of them.
   */
  readonly fault: (ids: readonly string[]) => Promise<'missed' | void>;
  /** Content that exports of other merchants must hold. */
  readonly findOthers?: FindExpected;
}

/** Has exports under way, causes the fault at a random moment of them, and checks what became of them. */
export async function runRounds(
  stage: Stage,
  deployment: Deployment,
  { api, fault, findOthers }: Rounds,
): Promise<void> {
  const { tally, runs, random, signal } = stage;
  const expected = await readExpectedFiles(deployment, api.merchant);
  const findExpected: FindExpected = (merchant, files, id) =>
    merchant === api.merchant || !findOthers ? expected : findOthers(merchant, files, id);
  const typicalMs = await measureExports(stage, deployment, api, EXPORTS);
  await checkExports(stage, deployment, findExpected);
  for (let misses = 0; tally.runs < runs && misses < MAX_MISSES;) {
    const ids = await createExports(deployment, api, EXPORTS);
    await waitForStart(stage, deployment, ids[0] ?? '');
    await delay(random.between(0, typicalMs * 0.6), undefined, { signal });
    const isMissed = (await countOpen(deployment)) === 0 || (await fault(ids)) === 'missed';
    if (isMissed) misses++;
    else tally.runs++;
    await recover(stage, deployment, performance.now(), !isMissed);
    await checkExports(stage, deployment, findExpected);
  }
}
