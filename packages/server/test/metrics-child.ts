/** A process that is forked by a test and answers when it is asked for its metrics, as the worker of `all` does. */
import { answerMetricsRequests } from '../src/metrics/channel.ts';
import { Metrics } from '../src/metrics/metrics.ts';

const metrics = await Metrics.open('worker');
metrics.observer.attemptEnded('done', 'none');
metrics.observer.stepTook('read', 1500);
metrics.observer.watchPool('exports', {
  // Some numbers have no form in JSON.
  usage: { max: 1, open: 1, idle: Number.NaN, waiting: Infinity, asked: 0, waitedMs: 0 },
});
const leave = answerMetricsRequests(process, () => {
  if (process.env['BROKEN']) throw new Error('cannot be read');
  return metrics.read();
});
process.on('message', ({ kind }: { kind: string }) => {
  if (kind === 'leave') leave();
});
process.send?.({ kind: 'ready' });
