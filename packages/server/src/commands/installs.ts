/** The operator's commands about installs: `install`, `installs`, `uninstall`. */
import { MERCHANT_ID, PERMISSIONS, type Permission } from '@tillroll/contract';
import { deleteInstall, install, listInstalls, uninstall } from '../access/installs.ts';
import { lastAvailable } from '../exports/read.ts';
import { print } from './print.ts';
import { UsageError, withDatabase } from './run.ts';

/** @throws UsageError */
export function checkedId(option: string, id: string): string {
  if (!MERCHANT_ID.test(id)) {
    throw new UsageError(
      `${option} must be 1 to 64 of A-Z a-z 0-9 _ -; got ${JSON.stringify(id.slice(0, 80))}`,
    );
  }
  return id;
}

/** @throws UsageError */
export function parsePermissions(text: string): Permission[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !(PERMISSIONS as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new UsageError(
      `--permissions must be a list of ${PERMISSIONS.join(', ')}; got ${JSON.stringify(unknown)}`,
    );
  }
  return [...new Set(PERMISSIONS.filter((permission) => names.includes(permission)))];
}

export async function installCommand(
  options: { merchant: string; app: string; permissions: string },
  signal: AbortSignal,
): Promise<void> {
  const wanted = {
    merchantId: checkedId('--merchant', options.merchant),
    appId: checkedId('--app', options.app),
    permissions: parsePermissions(options.permissions),
  };
  await withDatabase(signal, async ({ pool }) => {
    const { token, installId } = await install(pool, wanted);
    try {
      await print(`${token}\n`);
    } catch (cause) {
      // Nobody has read the token, and nobody can any more. A closed pipe is not an exception here.
      await deleteInstall(pool, installId);
      throw new Error('the token could not be written to stdout; the install was removed again', {
        cause,
      });
    }
  });
}

export async function installsCommand(
  options: { merchant?: string },
  signal: AbortSignal,
): Promise<void> {
  const merchant =
    options.merchant === undefined ? null : checkedId('--merchant', options.merchant);
  const installs = await withDatabase(signal, ({ pool }) => listInstalls(pool, merchant));
  const rows = installs.map(({ id, merchantId, appId, permissions, createdTime, revokedTime }) => [
    id,
    merchantId,
    appId,
    permissions.join(','),
    new Date(createdTime).toISOString(),
    revokedTime === null ? 'active' : `revoked ${new Date(revokedTime).toISOString()}`,
  ]);
  const head = ['INSTALL', 'MERCHANT', 'APP', 'PERMISSIONS', 'CREATED', 'STATE'];
  for (const row of [head, ...rows]) await print(`${row.join('\t')}\n`);
}

export async function uninstallCommand(
  options: { merchant: string; app?: string },
  signal: AbortSignal,
): Promise<void> {
  const merchant = checkedId('--merchant', options.merchant);
  const app = options.app === undefined ? null : checkedId('--app', options.app);
  const { revoked, until } = await withDatabase(signal, async ({ pool }) => ({
    revoked: await uninstall(pool, merchant, app),
    until: await lastAvailable(pool, merchant, app),
  }));
  const files =
    until === null
      ? 'No files can be downloaded.'
      : "File URLs that were handed out work until their export's availableUntil, the last until " +
        `${new Date(until).toISOString()}; to end them now, run purge.`;
  await print(
    `${revoked} install${revoked === 1 ? '' : 's'} revoked; the tokens stop working now. ${files}\n`,
  );
}
