/** Prepares the service for attacks: merchants, tokens, orders and exports. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Service } from './service.ts';
import { FROM, TO, type Caller, type Target } from './target.ts';

/** Orders of the attacker's merchant, a file for each thousand; and how many exports it has of them. */
const SIZES = {
  full: { orders: 30_000, exports: 100 },
  short: { orders: 10_000, exports: 20 },
} as const;
/** Orders of the others. */
const FEW_ORDERS = 1_000;
const ALL = 'ORDERS_R,PAYMENTS_R,ORDERS_W,PAYMENTS_W';
const BRANCHES = ['BRANCH1', 'BRANCH2', 'BRANCH3', 'BRANCH4'];
const EXPORT_MS = 60_000;

/** Merchants, tokens, orders and exports, through the operator's commands and the API. */
export async function prepare(
  service: Service,
  short: boolean,
  signal: AbortSignal,
): Promise<Target> {
  const host = '127.0.0.1';
  const url = `http://${host}:${service.port}`;
  const { orders, exports } = SIZES[short ? 'short' : 'full'];

  const install = (merchant: string, app: string, permissions = ALL): Promise<string> =>
    service.command(
      ['install', '--merchant', merchant, '--app', app, '--permissions', permissions],
      signal,
    );
  const span = ['--from', new Date(FROM).toISOString(), '--to', new Date(TO).toISOString()];
  const seed = (merchant: string, count: number): Promise<string> =>
    service.command(['seed', '--merchant', merchant, '--orders', String(count), ...span], signal);
  const caller = async (merchant: string, app: string, count: number): Promise<Caller> => {
    const token = await install(merchant, app);
    await seed(merchant, count);
    return { merchant, token, ...(await createExport(url, merchant, token, signal)) };
  };

  const normal = await caller('SHOP', 'GOOD', FEW_ORDERS);
  const attacker = await caller('MALLORY', 'EVIL', orders);
  // Two at a time: more may not be open for one merchant.
  for (let made = 1; made < exports; made += 2) {
    const more = Array.from({ length: Math.min(2, exports - made) }, () =>
      createExport(url, attacker.merchant, attacker.token, signal),
    );
    await Promise.all(more);
  }
  const branches: Caller[] = [];
  for (const merchant of BRANCHES) branches.push(await caller(merchant, 'EVIL', FEW_ORDERS));
  const readOnlyToken = await install('MALLORY', 'EVIL', 'ORDERS_R');
  return { host, port: service.port, normal, attacker, branches, readOnlyToken };
}

interface ExportObject {
  id: string;
  status: string;
  exportUrls?: { elements: { url: string }[] };
}

/** Creates an export of all orders and waits until it is DONE. */
async function createExport(
  url: string,
  merchant: string,
  token: string,
  signal: AbortSignal,
): Promise<Pick<Caller, 'exportId' | 'files'>> {
  const base = `${url}/v3/merchants/${merchant}/exports`;
  const call = async (path: string, init: RequestInit): Promise<ExportObject> => {
    const response = await fetch(path, {
      ...init,
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.any([signal, AbortSignal.timeout(EXPORT_MS)]),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status} ${text}`);
    return JSON.parse(text) as ExportObject;
  };
  const body = JSON.stringify({ type: 'ORDERS', startTime: FROM, endTime: TO });
  const { id } = await call(base, { method: 'POST', body });
  for (const end = performance.now() + EXPORT_MS; performance.now() < end; await delay(50)) {
    const { status, exportUrls } = await call(`${base}/${id}`, {});
    if (status === 'DONE') {
      const files = (exportUrls?.elements ?? []).map(({ url: file }) => {
        const { pathname, search } = new URL(file);
        return pathname + search;
      });
      return { exportId: id, files };
    }
  }
  throw new Error(`export ${id} was not DONE within ${EXPORT_MS / 1000} s`);
}
