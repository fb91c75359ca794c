/** Clover's regions: their addresses and hours. */
import { availabilityAt, parseHours, REGION_HOURS, type Availability } from '@tillroll/contract';

/** Clover's own hosts. */
export const CLOVER_REGIONS = Object.freeze({
  us: 'https://api.clover.com',
  eu: 'https://api.eu.clover.com',
  la: 'https://api.la.clover.com',
  sandbox: 'https://apisandbox.dev.clover.com',
} as const);
export type CloverRegion = keyof typeof CLOVER_REGIONS;

/** Finds the Clover region that an address belongs to; undefined for any other service. */
export function findCloverRegion(url: URL): CloverRegion | undefined {
  return (Object.keys(CLOVER_REGIONS) as CloverRegion[]).find(
    (region) => new URL(CLOVER_REGIONS[region]).host === url.host,
  );
}

/** Computes Clover's published hours at `now` (epoch ms); undefined for Latin America, where it publishes none. */
export function cloverAvailability(region: CloverRegion, now: number): Availability | undefined {
  if (region === 'la') return undefined;
  return availabilityAt(parseHours(REGION_HOURS[region]), region, now);
}
