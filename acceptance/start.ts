/** vitest's global set-up: one service for all files, ours or the one that ACCEPTANCE_URL names. */
import type { TestProject } from 'vitest/node';
import { ALL_PERMISSIONS, command, install, makePlace, startServer } from './server.ts';
import { targetFromEnvironment } from './target.ts';

export default async function start(
  project: TestProject,
): Promise<(() => Promise<void>) | undefined> {
  const named = targetFromEnvironment(process.env);
  if (named !== undefined) {
    project.provide('target', named);
    return undefined;
  }
  const place = await makePlace();
  const server = await startServer(place, {
    TILLROLL_REGION: 'sandbox',
    TILLROLL_MAX_OPEN_EXPORTS: '1000',
    TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: '1000',
  }).catch(async (error: unknown) => {
    await place.remove();
    throw error;
  });
  const stop = async (): Promise<void> => {
    await server.stop();
    await place.remove();
  };
  try {
    const merchant = 'ACC-Merchant_1';
    const otherMerchant = 'ACC-Merchant_2';
    // One after another: two commands must not have to start or find the database at the same instant.
    const token = await install(place, merchant, 'acc-app', ALL_PERMISSIONS);
    const readOrdersToken = await install(place, merchant, 'acc-app', 'ORDERS_R');
    const otherAppToken = await install(place, merchant, 'acc-other-app', ALL_PERMISSIONS);
    const otherToken = await install(place, otherMerchant, 'acc-app', ALL_PERMISSIONS);
    const revokedToken = await install(place, merchant, 'acc-revoked-app', ALL_PERMISSIONS);
    await command(place, ['uninstall', '--merchant', merchant, '--app', 'acc-revoked-app']);
    project.provide('target', {
      url: server.url,
      merchant,
      token,
      otherAppToken,
      otherMerchant,
      otherToken,
      readOrdersToken,
      revokedToken,
      external: false,
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}
