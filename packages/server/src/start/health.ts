/** Watches the database and the store in the background. */
import type { Pulse } from '../database/pulse.ts';
import { oneLine } from '../errors.ts';
import type { Logger } from '../log.ts';
import { Watch, type WatchOptions } from '../watch.ts';
import type { Parts } from './parts.ts';

/** Between a failover and the first request that it would hit, there is at most this. */
const PULSE_EVERY_MS = 2_000;
const PULSE_BOUND_MS = 6_000;
/** Writing a probe file wears a disk; a full one is found soon enough. */
const STORE_EVERY_MS = 10_000;
const STORE_BOUND_MS = 10_000;

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

async function watch(name: string, parts: Parts, options: WatchOptions): Promise<() => boolean> {
  const watching = new Watch(options);
  await watching.start();
  parts.addStanding({ name, close: () => watching.close() });
  return () => watching.isGood;
}
