import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** The user that PostgreSQL runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
  /** True when we are root and children must be started as this user. */
  readonly drop: boolean;
}

const CANDIDATES = ['postgres', 'tillroll', 'nobody'] as const;

/** Ourselves; as root, which PostgreSQL refuses to run as, the first unprivileged user that exists. */
export async function chooseAccount(): Promise<Account> {
  const own = ownAccount();
  if (!own.drop) return own;
  for (const name of CANDIDATES) {
    const [uid, gid] = await Promise.all([identify('-u', name), identify('-g', name)]);
    if (uid !== null && gid !== null)
      return { uid: Number(uid), gid: Number(gid), name, drop: true };
  }
  throw new Error(
    `PostgreSQL does not run as root and none of the users ${CANDIDATES.join(', ')} exists: create one ` +
      '(useradd --system tillroll), start the server as an ordinary user, or set DATABASE_URL',
  );
}

/** The account of a cluster that exists: the owner of its files, whatever `chooseAccount` would choose now. */
export async function findOwnerAccount(
  path: string,
  owner: { uid: number; gid: number },
): Promise<Account> {
  const own = ownAccount();
  if (own.drop ? owner.uid === 0 : owner.uid !== own.uid) {
    throw new Error(
      `The database in ${path} belongs to user ${owner.uid} and this process runs as user ${own.uid}: ` +
        (own.drop
          ? 'give it back to the user that made it (chown -R), PostgreSQL does not run as root'
          : 'start as that user, or choose another TILLROLL_DATA_DIR'),
    );
  }
  if (!own.drop) return own;
  const name = (await identify('-nu', String(owner.uid))) ?? `user ${owner.uid}`;
  return { uid: owner.uid, gid: owner.gid, name, drop: true };
}

function ownAccount(): Account {
  const uid = process.getuid?.() ?? 0;
  return { uid, gid: process.getgid?.() ?? 0, name: `user ${uid}`, drop: uid === 0 };
}

async function identify(flag: '-u' | '-g' | '-nu', user: string): Promise<string | null> {
  try {
    const { stdout } = await execute('id', [flag, user]);
    return stdout.trim();
  } catch {
    return null;
  }
}
