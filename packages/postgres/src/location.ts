import { chmod, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findOwnerAccount, chooseAccount } from './account.ts';
import { exists } from './files.ts';
import { canEnter, type Account } from './run.ts';
import { hashPath } from './settings.ts';

/** Directory of clusters that root starts when PostgreSQL's user cannot enter the data directory. */
const OUTSIDE = '/var/lib/tillroll';

export interface Location {
  readonly home: string;
  readonly account: Account;
}

/**
 * Decides where the cluster lives and as whom it runs. A cluster that exists decides for itself:
 * nothing that changes around it (a new system user, a moved data directory) may silently start
 * an empty one beside it.
 */
export async function findLocation(dataDir: string, lastHome = ''): Promise<Location> {
  const homes = [join(dataDir, 'postgres'), join(OUTSIDE, hashPath(dataDir))] as const;
  // The last home matters only outside: the data directory may have moved since.
  const moved = dirname(lastHome) === OUTSIDE ? [lastHome] : [];
  for (const home of [homes[0], ...moved, homes[1]]) {
    const data = join(home, 'data');
    if (!(await exists(data))) continue;
    const account = await findOwnerAccount(data);
    if (await canEnter(account, data)) return { home, account };
    throw new Error(
      `The database in ${data} cannot be entered by ${account.name}, which owns it: allow it on the directories above (chmod o+x)`,
    );
  }
  const account = await chooseAccount();
  for (const home of homes) {
    await makeDirectory(dirname(home), account);
    if (!(await canEnter(account, dirname(home)))) continue;
    await makeDirectory(home, account);
    return { home, account };
  }
  throw new Error(
    `User ${account.name}, as which PostgreSQL runs, can enter neither ${dataDir} nor ${OUTSIDE}: ` +
      'allow it on the directories above (chmod o+x), choose another TILLROLL_DATA_DIR, or set DATABASE_URL',
  );
}

/**
 * As root, a directory stays root's and may only be walked through: the names in it are not PostgreSQL's
 * user's to change, so that root never follows a link which that user planted.
 */
async function makeDirectory(path: string, account: Account): Promise<void> {
  const made = await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    const remedy = 'choose another TILLROLL_DATA_DIR, or set DATABASE_URL';
    throw new Error(`${path} cannot be made: ${remedy}`, { cause });
  });
  if (made !== undefined) await chmod(path, account.drop ? 0o711 : 0o700);
}
