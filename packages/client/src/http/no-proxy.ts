/** Parses NO_PROXY. */
import { BlockList, isIP } from 'node:net';

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** One entry of NO_PROXY. */
interface Exception {
  /** Lower case, without a leading `.` or `*.` and without brackets; `*` is every host. */
  host: string;
  /** Undefined: every port. */
  port: number | undefined;
  /** An address or a range such as `10.0.0.0/8`. */
  addresses: BlockList | undefined;
}

/**
 * Parses NO_PROXY into a test of whether a URL is reached without a proxy. NO_PROXY has no standard; this accepts what curl, Go and
 * Python accept: entries separated by commas or blanks; a name with everything below it, also written `.name` or
 * `*.name`; `*`; addresses and ranges (`10.0.0.0/8`, `fd00::/8`), with or without brackets; `:port` after any of them.
 */
export function parseNoProxy(value: string): (url: URL) => boolean {
  const exceptions = value.split(/[,\s]+/).flatMap((entry) => (entry ? [parseEntry(entry)] : []));
  return (url) => {
    const host = normalizeHost(url.hostname);
    const port = Number(url.port) || DEFAULT_PORTS[url.protocol];
    return exceptions.some(
      (exception) =>
        (exception.port === undefined || exception.port === port) && isExcepted(host, exception),
    );
  };
}

function parseEntry(entry: string): Exception {
  // Without brackets, an IPv6 address has no port.
  const [, inside, name = entry, digits] =
    isIP(entry) === 6 ? [] : (/^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? []);
  const host = normalizeHost(inside ?? name).replace(/^\*?\./, '');
  return {
    host,
    port: digits === undefined ? undefined : Number(digits),
    addresses: parseAddresses(host),
  };
}

function normalizeHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

function parseAddresses(host: string): BlockList | undefined {
  const [address = '', prefix] = host.split('/');
  const version = isIP(address);
  if (version === 0) return undefined;
  const bits = version === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : Number(prefix);
  if (!Number.isInteger(length) || length < 0 || length > bits) return undefined;
  const list = new BlockList();
  list.addSubnet(address, length, version === 4 ? 'ipv4' : 'ipv6');
  return list;
}

function isExcepted(host: string, { host: excepted, addresses }: Exception): boolean {
  if (excepted === '*') return true;
  const version = isIP(host);
  if (version !== 0) return addresses?.check(host, version === 4 ? 'ipv4' : 'ipv6') ?? false;
  return excepted !== '' && (host === excepted || host.endsWith(`.${excepted}`));
}
