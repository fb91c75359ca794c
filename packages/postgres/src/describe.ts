import { join } from 'node:path';
import { describePackage, findPackage, usableBinaries } from './binaries.ts';
import type { Cluster } from './cluster.ts';
import { exists } from './directories.ts';
import { findLocation } from './location.ts';
import { PORT, USER } from './settings.ts';
import { socketDirectory } from './socket.ts';
import { createState, readState, stateFile } from './state.ts';

/** Everything about the cluster of this data directory, short of touching the cluster itself. */
export async function describeCluster(dataDir: string, native?: string): Promise<Cluster> {
  const { home, account } = await findLocation(dataDir);
  const source = native === undefined ? await findPackage() : await describePackage(native);
  const host = socketDirectory(home, account);
  const data = join(home, 'data');
  let state = await readState(dataDir);
  if (state === null) {
    if (await exists(data))
      throw new Error(
        `The database in ${home} has lost its password, ${stateFile(dataDir)}: restore the file, or move ${home} away to start empty`,
      );
    const { version } = source;
    state = await createState(dataDir, { host, port: PORT, user: USER, home, version });
  }
  let binaries: string | undefined;
  return {
    dataDir,
    home,
    data,
    account,
    user: state.user,
    password: state.password,
    socketDirectory: host,
    version: source.version,
    async binaries() {
      return (binaries ??= await usableBinaries(source, home, account));
    },
  };
}
