import { createLogger } from '../../src/log.ts';
import { startService, type Overrides, type Roles, type Service } from '../../src/service.ts';
import type { Place } from './place.ts';

/** A service in this process, over a place. @param more environment variables on top of the place's. */
export function serveHere(
  place: Place,
  roles: Partial<Roles>,
  more: Record<string, string> = {},
  overrides: Overrides = {},
): Promise<Service & { url: string }> {
  return startService(
    place.config({ TILLROLL_GRACE: '2s', ...more }),
    { serve: true, work: true, ...roles },
    createLogger('silent'),
    new AbortController().signal,
    overrides,
  ) as Promise<Service & { url: string }>;
}
