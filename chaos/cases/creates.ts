import type { Case, Stage } from '../case.ts';
import { checkExports, checkLeftovers, countOpen, recover } from '../scene/check.ts';
import { Deployment } from '../scene/deployment.ts';
import { readExpectedFiles } from '../scene/source.ts';

const ORDERS = 2_000;
const LIMIT = 7;
const CREATES = 1_000;
const PROCESSES = 3;
const MERCHANTS = ['SHOP1', 'SHOP2', 'SHOP3'];
const ANSWER_S = 60;

/** 1,000 creates at once: the limit holds over all processes, and exactly that many are accepted. */
export const creates: Case = {
  name: 'creates',
  about: `${CREATES} creates at once over ${PROCESSES} API processes, limit ${LIMIT}`,
  boundS: 30,
  runs: { long: 10, short: 1 },
  run,
};

async function run(stage: Stage): Promise<void> {
  const { tally, runs } = stage;
  await using deployment = await Deployment.create(stage, {
    storage: 'directory',
    settings: {
      TILLROLL_MAX_OPEN_EXPORTS: String(LIMIT),
      TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: String(LIMIT),
      TILLROLL_MAX_OPEN_EXPORTS_PER_APP: String(LIMIT),
    },
  });
  const servers = await Promise.all(
    Array.from({ length: PROCESSES }, () => deployment.start('serve')),
  );
  for (const merchant of MERCHANTS) await deployment.addMerchant(merchant, ORDERS);
  const expected = new Map(
    await Promise.all(
      MERCHANTS.map(async (name) => [name, await readExpectedFiles(deployment, name)] as const),
    ),
  );
  for (; tally.runs < runs; tally.runs++) {
    const started = performance.now();
    const answers = await Promise.all(
      Array.from({ length: CREATES }, async (_, n) => {
        const url = servers[n % PROCESSES]?.url ?? '';
        const api = deployment.apis[Math.floor(stage.random.next() * MERCHANTS.length)];
        return api?.create(url);
      }),
    );
    tally.measure('answered within s', (performance.now() - started) / 1000, null, ANSWER_S);
    tally.measure('exports open', await countOpen(deployment), LIMIT, LIMIT);
    tally.measure('creates answered 200', count(answers, 200), LIMIT, LIMIT);
    tally.measure(
      'creates refused with 429 or 503',
      count(answers, 429) + count(answers, 503),
      CREATES - LIMIT,
      CREATES - LIMIT,
    );
    for (const answer of answers) if (answer?.id) deployment.accepted.add(answer.id);
    const worker = await deployment.start('work');
    await recover(stage, deployment, performance.now());
    await worker.stop();
    await checkExports(stage, deployment, (merchant) => expected.get(merchant) ?? []);
  }
  await checkLeftovers(stage, deployment);
}

function count(answers: readonly ({ status: number } | undefined)[], status: number): number {
  return answers.filter((answer) => answer?.status === status).length;
}
