import { createHash } from 'node:crypto';
import { chmod, mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findOwnerAccount, chooseAccount, type Account } from './account.ts';
import { exists, hasCode } from './directories.ts';
import { canEnter } from './run.ts';
import { readState } from './state.ts';

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
export async function findLocation(dataDir: string): Promise<Location> {
  for (const home of await knownHomes(dataDir)) {
    const data = join(home, 'data');
    if (!(await exists(data))) continue;
    const account = await findOwnerAccount(data, await stat(data));
    if (await canEnter(account, data)) return { home, account };
    throw new Error(
      `The database in ${data} cannot be entered by ${account.name}, which owns it: allow it on the directories above (chmod o+x)`,
    );
  }
  const account = await chooseAccount();
  const inside = join(dataDir, 'postgres');
  if (await canEnter(account, dataDir)) return { home: await makeHome(inside, account), account };
  const outside = await makeHome(outsideHome(dataDir), account);
  if (await canEnter(account, outside)) return { home: outside, account };
  throw new Error(
    `User ${account.name}, as which PostgreSQL runs, can enter neither ${dataDir} nor ${outside}: ` +
      'allow it on the directories above (chmod o+x), choose another TILLROLL_DATA_DIR, or set DATABASE_URL',
  );
}

/** One home for one data directory; a pure function of its path. */
export function outsideHome(dataDir: string): string {
  return join(OUTSIDE, createHash('sha256').update(dataDir).digest('hex').slice(0, 16));
}

async function knownHomes(dataDir: string): Promise<string[]> {
  const homes = [join(dataDir, 'postgres')];
  const noted = (await readState(dataDir))?.home;
  // The state's home matters only outside: the data directory may have moved since it was written.
  if (noted !== undefined && dirname(noted) === OUTSIDE) homes.push(noted);
  homes.push(outsideHome(dataDir));
  return homes;
}

/**
 * As root, home stays root's and may only be walked through: the names in it are not PostgreSQL's
 * user's to change, so that root never follows a link which that user planted.
 */
async function makeHome(home: string, account: Account): Promise<string> {
  const mode = account.drop ? 0o711 : 0o700;
  if (dirname(home) === OUTSIDE && (await makeDirectory(OUTSIDE))) await chmod(OUTSIDE, 0o711);
  if (await makeDirectory(home)) await chmod(home, mode);
  return home;
}

async function makeDirectory(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw new Error(
      `${path} cannot be made: choose another TILLROLL_DATA_DIR, or set DATABASE_URL`,
      { cause: error },
    );
  }
}
