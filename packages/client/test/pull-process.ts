/**
 * A pull as a process of its own, to be killed or measured:
 * `node packages/client/test/pull-process.ts '{"client":{...},"pull":{...}}'`
 * prints one line of JSON: the result or the error, and the peak of its memory.
 */
import { ExportClient, ExportError, type ClientOptions, type PullOptions } from '../src/index.ts';

export interface PullOrder {
  client: ClientOptions;
  pull: PullOptions;
}

export interface PullOutcome {
  complete: boolean;
  failed: { code: string; message: string }[];
  peakBytes: number;
}

const { client, pull } = JSON.parse(process.argv[2] ?? '') as PullOrder;
let outcome: Omit<PullOutcome, 'peakBytes'>;
try {
  outcome = await new ExportClient(client).pull(pull);
} catch (error) {
  if (!(error instanceof ExportError)) throw error;
  outcome = { complete: false, failed: [{ code: error.code, message: error.message }] };
}
const { complete, failed } = outcome;
const peakBytes = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ complete, failed, peakBytes } satisfies PullOutcome));
