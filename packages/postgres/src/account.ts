import { stat } from 'node:fs/promises';
import { run, type Account } from './run.ts';

const CANDIDATES = ['postgres', 'tillroll', 'nobody'] as const;

/** Ourselves; as root, which PostgreSQL refuses to run as, the first unprivileged user that exists. */
export async function chooseAccount(): Promise<Account> {
  const own = ownAccount();
  if (!own.drop) return own;
  for (const name of CANDIDATES) {
    const [uid, gid] = await Promise.all([identify('-u', name), identify('-g', name)]);
    if (uid && gid) return { uid: Number(uid), gid: Number(gid), name, drop: true };
  }
  throw new Error(
    `PostgreSQL does not run as root and none of the users ${CANDIDATES.join(', ')} exists: create one ` +
      '(useradd --system tillroll), start the server as an ordinary user, or set DATABASE_URL',
  );
}

/** The account of a cluster that exists: the owner of its files, whatever `chooseAccount` would choose now. */
export async function findOwnerAccount(path: string): Promise<Account> {
  const own = ownAccount();
  const { uid, gid } = await stat(path);
  if (own.drop ? uid === 0 : uid !== own.uid) {
    const remedy = own.drop
      ? 'give it back to the user that made it (chown -R), PostgreSQL does not run as root'
      : 'start as that user, or choose another TILLROLL_DATA_DIR';
    throw new Error(`The database in ${path} belongs to user ${uid}: ${remedy}`);
  }
  if (!own.drop) return own;
  return { uid, gid, name: (await identify('-nu', String(uid))) || `user ${uid}`, drop: true };
}

function ownAccount(): Account {
  const uid = process.getuid?.() ?? 0;
  return { uid, gid: process.getgid?.() ?? 0, name: `user ${uid}`, drop: uid === 0 };
}

/** Empty when there is no such user. */
async function identify(flag: '-u' | '-g' | '-nu', user: string): Promise<string> {
  return (await run('id', [flag, user]).catch(() => '')).trim();
}
