/** Watches the database and the store in the background. */
import type { Pulse } from '../database/pulse.ts';
import { oneLine } from '../errors.ts';
import type { Logger } from '../log.ts';
import { checkSource } from '../source/check.ts';
import type { Source } from '../source/rows.ts';
import { Watch, type WatchOptions } from '../watch.ts';
import type { Parts } from './parts.ts';

/** Between a failover and the first request that it would hit, there is at most this. */
const PULSE_EVERY_MS = 2_000;
const PULSE_BOUND_MS = 6_000;
/** Writing a probe file wears a disk; a full one is found soon enough. */
const STORE_EVERY_MS = 10_000;
const STORE_BOUND_MS = 10_000;
const SOURCE_EVERY_MS = 10_000;
const SOURCE_BOUND_MS = 15_000;

/**
 * Checks again and again that the database can be written to.
 * @param onLost leaves the connections that exist, which may lead to a server that is read-only now.
 * @returns whether the last check was good; answers at once.
 */
export function watchDatabase(
  pulse: Pulse,
  onLost: () => void,
  parts: Parts,
  log: Logger,
): Promise<() => boolean> {
  return watch('checks of the database', parts, {
    check: () => pulse.check(),
    everyMs: PULSE_EVERY_MS,
    boundMs: PULSE_BOUND_MS,
    onChange: (fault) => {
      if (fault === null) return log.info('ready: the database can be written to');
      log.error({ error: oneLine(fault) }, 'not ready: the database cannot be used');
      onLost();
    },
  });
}

/** Checks again and again that the store is the right one and can be written to. */
export function watchStore(
  check: () => Promise<void>,
  parts: Parts,
  log: Logger,
): Promise<() => boolean> {
  return watch('checks of the store', parts, {
    check,
    everyMs: STORE_EVERY_MS,
    boundMs: STORE_BOUND_MS,
    onChange: (fault) => {
      if (fault === null) log.info('ready: files can be written');
      else log.error({ error: oneLine(fault) }, 'not ready: files cannot be written');
    },
  });
}

/**
 * Checks again and again that exports can be read from a database of their own. Nothing depends on the result but the
 * log: exports can be created without their source, and are tried again until it is there.
 */
export async function watchSource(
  source: Source & { readonly location: string },
  parts: Parts,
  log: Logger,
): Promise<void> {
  const { location } = source;
  await watch('checks of the source', parts, {
    check: () => checkSource(source),
    everyMs: SOURCE_EVERY_MS,
    boundMs: SOURCE_BOUND_MS,
    onChange: (fault) => {
      if (fault === null) log.info({ source: location }, 'exports can be read');
      else log.error({ source: location, error: oneLine(fault) }, 'exports cannot be read');
    },
  });
}

async function watch(name: string, parts: Parts, options: WatchOptions): Promise<() => boolean> {
  const watching = new Watch(options);
  await watching.start();
  parts.addStanding({ name, close: () => watching.close() });
  return () => watching.isGood;
}
