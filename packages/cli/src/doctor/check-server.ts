/** Checks of `doctor` on the server: address, clock, hours and permissions. */
import type { ExportType } from '@tillroll/contract';
import type { Access, ExportClient, RetryPolicy } from '@tillroll/client';
import { isExportError } from '../errors.ts';
import { durationInWords } from '../format.ts';
import { hoursText } from '../hours-text.ts';
import type { Check } from './check.ts';

/** Few tries and short waits: what is asked is whether it works now. */
export const DOCTOR_RETRY: Partial<RetryPolicy> = {
  attempts: 2,
  firstAttempts: 2,
  rateLimited: 3,
  silenceMs: 10_000,
};

/** Clocks that differ by more are wrong rather than late. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;

/**
 * Checks a server: that it answers, its clock and hours, and the permissions of the token. Creates no export.
 * @throws ExportError INTERRUPTED
 */
export async function checkServer(
  client: ExportClient,
  types: readonly ExportType[],
  signal: AbortSignal,
): Promise<Check[]> {
  const { url, merchant } = client.source;
  const startedAt = performance.now();
  const access: [ExportType, Access][] = [];
  let hours: Check;
  try {
    hours = await checkHours(client, signal);
    for (const type of types) access.push([type, await client.checkAccess(type, { signal })]);
  } catch (error) {
    if (!isExportError(error) || error.code === 'INTERRUPTED') throw error;
    const { message, hint } = error;
    return [{ name: 'address', outcome: 'failed', message, hint }];
  }
  const ms = Math.round(performance.now() - startedAt);
  return [
    { name: 'address', outcome: 'ok', message: `${url} answers as an export API (${ms} ms)` },
    ...describeAccess(access, merchant),
    describeClock(client.clockAheadMs),
    hours,
  ];
}

async function checkHours(client: ExportClient, signal: AbortSignal): Promise<Check> {
  const name = 'hours';
  try {
    const availability = await client.availability({ signal });
    const message = hoursText(availability, Date.now());
    return { name, outcome: availability.open ? 'ok' : 'warning', message };
  } catch (error) {
    if (!isExportError(error) || error.code !== 'NOT_FOUND') throw error;
    // Another export API: hours are not among its fixed requests.
    return { name, outcome: 'warning', message: 'not published by this server' };
  }
}

function describeClock(aheadMs: number): Check {
  const name = 'clock';
  if (aheadMs === 0)
    return { name, outcome: 'ok', message: "this machine's clock agrees with the server's" };
  const message = `this machine's clock is ${durationInWords(Math.abs(aheadMs))} ${aheadMs > 0 ? 'behind' : 'ahead of'} the server's`;
  if (Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS) return { name, outcome: 'ok', message };
  const hint = "Correct it if it is wrong; pulls end by the server's clock";
  return { name, outcome: 'warning', message, hint };
}

function describeAccess(access: readonly [ExportType, Access][], merchant: string): Check[] {
  const permissions = (wanted: Access): string =>
    access.flatMap(([type, found]) => (found === wanted ? [`${type}_R`] : [])).join(' and ');
  const [granted, refused, unknown] = [
    permissions('granted'),
    permissions('refused'),
    permissions('unknown'),
  ];
  if (granted === '' && unknown === '')
    return [
      {
        name: 'token',
        outcome: 'failed',
        message: 'refused',
        hint: `Check that it is whole, is for merchant ${merchant}, was not revoked, and has ${refused}`,
      },
    ];
  const token: Check = {
    name: 'token',
    outcome: 'ok',
    message: `accepted for merchant ${merchant}`,
  };
  const name = 'permissions';
  if (refused !== '') {
    const others = access.filter(([, found]) => found !== 'refused');
    const types = others.map(([type]) => type.toLowerCase()).join(',');
    const hint = `Ask for it, or use --types ${types}`;
    return [token, { name, outcome: 'failed', message: `the token lacks ${refused}`, hint }];
  }
  if (unknown === '') return [token, { name, outcome: 'ok', message: `the token has ${granted}` }];
  return [
    {
      name: 'token',
      outcome: 'warning',
      message: 'the server is closed or busy, and does not tell whether it accepts the token',
    },
  ];
}
