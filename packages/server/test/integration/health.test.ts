import { afterEach, expect, test } from 'vitest';
import { findFreePort } from '../../../../scripts/free-port.ts';
import { makePlace } from './place.ts';
import { command, endChildren, startChild } from './process.ts';

afterEach(endChildren);

test('health tells whether a service answers, for a container that asks again and again', async () => {
  const place = await makePlace();
  try {
    const [port, metrics] = [String(await findFreePort()), String(await findFreePort())];
    const settings = { ...place.environment(), PORT: port, TILLROLL_METRICS_PORT: metrics };
    await expect(command(['health'], settings)).rejects.toThrow(
      `health: 1: tillroll-server: http://127.0.0.1:${port}/health does not answer`,
    );
    await startChild('serve', { ...settings, HOST: '0.0.0.0', TILLROLL_PUBLIC_URL: 'http://x' });
    expect(await command(['health'], settings)).toBe('ok');
    expect(
      await command(['health', '--ready'], {
        ...settings,
        HOST: '0.0.0.0',
        TILLROLL_PUBLIC_URL: 'http://x',
      }),
    ).toBe('ok');
    expect(await command(['health', '--metrics'], settings)).toBe('ok');
    const { TILLROLL_METRICS_PORT: _, ...without } = settings;
    await expect(command(['health', '--metrics'], without)).rejects.toThrow(
      'health --metrics: 2: tillroll-server: --metrics needs TILLROLL_METRICS_PORT',
    );
  } finally {
    await endChildren();
    await place.remove();
  }
});
