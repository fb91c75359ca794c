/** `tillroll-server health`: asks a running service whether it is alive, for a container's HEALTHCHECK. */
import { readConfig } from '../config/config.ts';
import type { Config } from '../config/settings.ts';
import { UsageError } from './run.ts';
import { print } from './print.ts';

const ANSWER_MS = 3_000;
/** Addresses that a server listens on and that no client can ask, and the ones to ask instead. */
const ANY: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

interface Options {
  /** Ask whether it is ready for requests, instead of alive. */
  ready?: boolean;
  /** Ask on the metrics port, where a worker answers. */
  metrics?: boolean;
}

/** Prints "ok". @throws Error that says what was asked and what the answer was. */
export async function healthCommand(options: Options, signal: AbortSignal): Promise<void> {
  const { host, port } = chooseAddress(readConfig(process.env), options);
  const asked = ANY[host] ?? host;
  const authority = asked.includes(':') ? `[${asked}]` : asked;
  const url = `http://${authority}:${port}/${options.ready ? 'ready' : 'health'}`;
  const bound = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  const answer = await fetch(url, { signal: bound }).catch((cause: unknown) => {
    throw new Error(`${url} does not answer`, { cause });
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  await print('ok\n');
}

function chooseAddress(config: Config, { metrics }: Options): { host: string; port: number } {
  if (!metrics) return { host: config.host, port: config.port };
  if (config.metricsPort === null) throw new UsageError('--metrics needs TILLROLL_METRICS_PORT');
  return { host: config.metricsHost, port: config.metricsPort };
}
