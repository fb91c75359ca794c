import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { removeEmbeddedPostgres } from '@tillroll/postgres';
import type { Node } from '../../packages/server/test/integration/node.ts';
import { findFreePort } from '../../scripts/free-port.ts';
import { runCommand } from '../../scripts/server-process.ts';
import type { StorageKind, Stage } from '../case.ts';
import { S3Proxy } from '../faults/s3-proxy.ts';
import { TcpProxy, type LinkState } from '../faults/tcp-proxy.ts';
import { Api, FROM, TO } from './api.ts';
import { Role, type RoleName } from './role.ts';
import { makeDirectoryStore, makeS3Store, type Store } from './store.ts';

const PERMISSIONS = 'ORDERS_R,PAYMENTS_R,ORDERS_W,PAYMENTS_W';

export interface DeploymentOptions {
  readonly storage: StorageKind;
  /** `embedded`: processes start the PostgreSQL of the data directory. */
  readonly database?: 'shared' | 'embedded';
  readonly settings?: Readonly<Record<string, string>>;
  /** A PostgreSQL of the case's own, in place of the shared one. */
  readonly node?: Node;
  /** The port at which exports read the same database on another server. */
  readonly sourcePort?: number;
  /** Prepares the directory of the files, such as by a mount, which is disposed of at the end. */
  readonly prepareDirectory?: (directory: string) => Promise<AsyncDisposable>;
  /** Processes reach PostgreSQL through a link that `setLink` breaks, unless they get `directUrl`. */
  readonly isLinked?: boolean;
  /** Processes reach the S3 server through `s3`. */
  readonly isProxied?: boolean;
}

/** A database, a store and the processes of the service over them. */
export class Deployment implements AsyncDisposable {
  readonly directory: string;
  /** Ids of exports whose creation was answered 200. */
  readonly accepted = new Set<string>();
  /** Ids of exports that were compared with the source. */
  readonly checked = new Set<string>();
  readonly apis: Api[] = [];
  store!: Store;
  s3: S3Proxy | null = null;
  isEmbedded = false;
  /** The address of the database past the link. */
  directUrl = '';
  #link: TcpProxy | null = null;
  #database = '';
  readonly #stage: Stage;
  readonly #settings: Record<string, string> = {};
  readonly #roles: Role[] = [];
  readonly #ends: (() => Promise<void>)[] = [];
  #pool: pg.Pool | null = null;
  #starts = 0;

  private constructor(stage: Stage, directory: string) {
    this.#stage = stage;
    this.directory = directory;
  }

  static async create(stage: Stage, options: DeploymentOptions): Promise<Deployment> {
    const directory = await mkdtemp(join(tmpdir(), 'tillroll-chaos-'));
    // PostgreSQL does not run as root. When the user that it runs as may enter this directory, its files stay here, too.
    await chmod(directory, 0o755);
    const deployment = new Deployment(stage, directory);
    try {
      await deployment.#prepare(options);
      return deployment;
    } catch (error) {
      await deployment[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #prepare(options: DeploymentOptions): Promise<void> {
    const { storage, database = 'shared', settings, isProxied = false } = options;
    this.#ends.push(() => rm(this.directory, { recursive: true, force: true, maxRetries: 5 }));
    const name = `chaos_${randomBytes(6).toString('hex')}`;
    this.store =
      storage === 's3'
        ? await this.#prepareS3(name, isProxied)
        : await this.#prepareDirectory(options);
    this.isEmbedded = database === 'embedded';
    if (this.isEmbedded) this.#ends.push(() => removeEmbeddedPostgres(this.#dataDirectory('all')));
    else await this.#prepareDatabase(name, options);
    Object.assign(this.#settings, {
      TILLROLL_MAX_OPEN_EXPORTS: '1000',
      TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: '1000',
      TILLROLL_MAX_OPEN_EXPORTS_PER_APP: '1000',
      TILLROLL_MIN_FREE_DISK: '1MiB',
      ...this.store.environment,
      ...settings,
    });
  }

  async #prepareDirectory({ prepareDirectory }: DeploymentOptions): Promise<Store> {
    const directory = join(this.directory, 'files');
    const prepared = await prepareDirectory?.(directory);
    if (prepared) this.#ends.push(() => Promise.resolve(prepared[Symbol.asyncDispose]()));
    return makeDirectoryStore(directory);
  }

  async #prepareS3(name: string, isProxied: boolean): Promise<Store> {
    const ceph = await this.#stage.servers.ceph();
    if (!isProxied) return makeS3Store(ceph, name);
    const proxy = await S3Proxy.start(Number(new URL(ceph.endpoint).port));
    this.#ends.push(() => proxy[Symbol.asyncDispose]());
    this.s3 = proxy;
    return makeS3Store(ceph, name, proxy.endpoint);
  }

  async #prepareDatabase(name: string, options: DeploymentOptions): Promise<void> {
    const { isLinked = false, sourcePort } = options;
    const node = options.node ?? (await this.#stage.servers.postgres());
    await node.administer(`CREATE DATABASE ${name} TEMPLATE template0`);
    if (!options.node) {
      this.#ends.push(async () => {
        await node.administer(`DROP DATABASE ${name} WITH (FORCE)`);
      });
    }
    this.#database = name;
    this.directUrl = node.url(name);
    this.connectTo(node);
    let port = node.port;
    if (isLinked) {
      const link = await TcpProxy.start(node.port);
      this.#ends.push(() => link[Symbol.asyncDispose]());
      this.#link = link;
      port = link.port;
    }
    this.#settings['DATABASE_URL'] = changePort(this.directUrl, port);
    if (sourcePort !== undefined)
      this.#settings['TILLROLL_SOURCE_DATABASE_URL'] = changePort(this.directUrl, sourcePort);
  }

  /** Opens the suite's own connections to a server, which may have become the primary. */
  connectTo(node: Node): void {
    this.#connect({ connectionString: node.url(this.#database) });
  }

  /** Has new connections of the link lead to another port. */
  retarget(port: number): void {
    if (!this.#link) throw new Error('this deployment has no link');
    this.#link.target = port;
  }

  setLink(state: LinkState): void {
    if (!this.#link) throw new Error('this deployment has no link');
    this.#link.state = state;
  }

  /** Opens the suite's own connections to the PostgreSQL that `all` has started. */
  async connectToEmbedded(): Promise<void> {
    const { host, port, user, password } = await this.#readEmbedded();
    this.#connect({ host, port: Number(port), user, password, database: 'tillroll', ssl: false });
  }

  async #readEmbedded(): Promise<Record<string, string>> {
    const state = await readFile(join(this.#dataDirectory('all'), 'postgres.json'), 'utf8');
    return JSON.parse(state) as Record<string, string>;
  }

  /** Tells whether the embedded PostgreSQL runs, or was left without being stopped. */
  async hasPostmaster(): Promise<boolean> {
    const { home = '' } = await this.#readEmbedded();
    return existsSync(join(home, 'data', 'postmaster.pid'));
  }

  #connect(config: pg.PoolConfig): void {
    const former = this.#pool;
    former?.end().catch(() => undefined);
    this.#pool = new pg.Pool({ ...config, max: 4, application_name: 'chaos' });
    // Broken connections are expected here: the next query gets another one.
    this.#pool.on('error', () => undefined);
  }

  /** Closes the suite's own connections, which would keep the embedded PostgreSQL waiting when it stops. */
  async disconnect(): Promise<void> {
    await this.#pool?.end();
    this.#pool = null;
  }

  /** Reads or changes the database, past any proxy. @throws while it is down. */
  async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    if (!this.#pool) throw new Error('the database is not connected');
    return (await this.#pool.query<Row>(text, values)).rows;
  }

  /** A process's own data directory, where its uploads are spooled; one for all with the embedded PostgreSQL. */
  #dataDirectory(process: string): string {
    return join(this.directory, this.isEmbedded ? 'data-all' : `data-${process}`);
  }

  /** Processes that still run. */
  running(name?: RoleName): Role[] {
    return this.#roles.filter(
      (role) => role.isRunning() && (name === undefined || role.name === name),
    );
  }

  /** An address that answers. @throws when no API process runs. */
  get url(): string {
    const role = this.running().findLast(({ name }) => name !== 'work');
    if (!role) throw new Error('no API process runs');
    return role.url;
  }

  /** Starts a role. @param more settings of this process alone. */
  async start(name: RoleName, more: Readonly<Record<string, string>> = {}): Promise<Role> {
    const number = this.#starts++;
    const data = this.#dataDirectory(`${name}-${number}`);
    await mkdir(data, { recursive: true });
    // A role keeps its port when it is started again.
    const port = name === 'work' ? 0 : await findFreePort();
    const environment = {
      ...this.#settings,
      TILLROLL_DATA_DIR: data,
      PORT: String(port),
      ...more,
    };
    const logFile = join(this.directory, `${name}-${number}.log`);
    const role = await Role.start(name, environment, logFile, this.#stage.signal);
    this.#roles.push(role);
    return role;
  }

  /** Runs an operator's command. @returns what it printed. */
  command(args: readonly string[]): Promise<string> {
    const environment = { ...this.#settings, TILLROLL_DATA_DIR: this.#dataDirectory('command') };
    return runCommand(args, environment, this.#stage.signal);
  }

  /** Installs an app at a merchant. @param orders generated for it, all in the suite's range. */
  async addMerchant(merchant: string, orders: number): Promise<Api> {
    const app = ['--app', 'CHAOS', '--permissions', PERMISSIONS];
    const token = await this.command(['install', '--merchant', merchant, ...app]);
    const api = new Api(merchant, token);
    this.apis.push(api);
    const span = ['--from', new Date(FROM).toISOString(), '--to', new Date(TO).toISOString()];
    if (orders > 0)
      await this.command(['seed', '--merchant', merchant, '--orders', String(orders), ...span]);
    return api;
  }

  async stopRoles(): Promise<void> {
    await Promise.all(this.running().map((role) => role.stop()));
  }

  /** Ends everything, whatever state it is in. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.running().map((role) => role.stop()));
    await this.disconnect();
    for (const end of this.#ends.toReversed()) await end();
  }
}

function changePort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}
