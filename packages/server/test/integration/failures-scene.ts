/** A place, a service over it and a storage that fails, for tests of failures. */

import {} from 'vitest';
import { Api } from './api.ts';
import { makePlace, type Place } from './place.ts';
import { serveHere } from './service.ts';
import { HookedStorage } from './storages.ts';

export async function withPlace(run: (place: Place) => Promise<void>): Promise<void> {
  const place = await makePlace();
  try {
    await run(place);
  } finally {
    await place.remove();
  }
}

/** A service over the place, with one merchant's view of it. */
export async function withService(
  place: Place,
  run: (api: Api) => Promise<void>,
  storage?: HookedStorage,
): Promise<void> {
  // The pauses of an operator's patience are not a test's.
  const retryDelays = { retryDelayMs: () => 0 };
  const service = await serveHere(place, {}, {}, { ...retryDelays, ...(storage && { storage }) });
  try {
    await run(new Api(service.url, 'M1', await place.install('M1')));
  } finally {
    await service.stop();
  }
}

/** Every write from the second file on fails, in the first `attempts` attempts. */
export function failing(place: Place, attempts: number): HookedStorage {
  return new HookedStorage(place, async (key) => {
    const [, attempt, file = ''] = key.split('/');
    if (Number(attempt) <= attempts && !file.startsWith('000000')) {
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    }
    return Promise.resolve();
  });
}
