/** Finds the address that a request is counted by, also behind proxies. */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, SocketAddress } from 'node:net';
import type { FastifyRequest } from 'fastify';
import type { Cidr } from '../config/parsers.ts';
import { MAX_FORWARDED_HOPS } from './limits.ts';

const addresses = new WeakMap<IncomingMessage, string>();

/**
 * The address that a request is accounted to: the peer's, or the one that a trusted proxy names. An
 * IPv6 client is accounted to its /64, of which it can use any address.
 */
export function clientAddress(request: Pick<FastifyRequest, 'raw'>): string {
  return (
    addresses.get(request.raw) ?? toAccountKey(plain(request.raw.socket.remoteAddress ?? 'gone'))
  );
}

/** Notes to whom a request is accounted, for `clientAddress`. */
export function noteClientAddress(request: IncomingMessage, address: string): void {
  addresses.set(request, address);
}

/** An IPv4 address that is written as IPv6 (`::ffff:10.0.0.1`) as IPv4; without a zone. */
export function plain(address: string): string {
  const mapped = address.slice(0, 7).toLowerCase() === '::ffff:' ? address.slice(7) : '';
  if (isIP(mapped) === 4) return mapped;
  const zone = address.indexOf('%');
  return zone < 0 ? address : address.slice(0, zone);
}

/** Derives the key that an address is counted by: itself, or the first 64 bits of an IPv6 address. */
export function toAccountKey(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = [], tail = []] = address
    .split('::')
    .map((half) => (half === '' ? [] : half.split(':')));
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0');
  const prefix = [...head, ...zeros, ...tail]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16));
  return `${prefix.join(':')}::/64`;
}

/** The peers whose `X-Forwarded-For` counts. */
export class TrustedProxies {
  readonly #list = new BlockList();
  constructor(cidrs: readonly Cidr[]) {
    for (const { network, prefix, family } of cidrs) this.#list.addSubnet(network, prefix, family);
  }

  /** @param address as `plain` returns it. */
  includes(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  }

  /**
   * The rightmost address of `X-Forwarded-For` that is not a trusted proxy's. Each proxy appends the
   * peer it saw, so that what stands left of it is only claimed. Where it cannot be read, the proxy
   * that wrote it counts.
   * @param proxy the trusted peer.
   */
  clientBehind(proxy: string, forwarded: string): string {
    let client = proxy;
    let end = forwarded.length;
    for (let hop = 0; hop < MAX_FORWARDED_HOPS && end >= 0; hop++) {
      const comma = end === 0 ? -1 : forwarded.lastIndexOf(',', end - 1);
      const address = readAddress(forwarded.slice(comma + 1, end));
      if (address === null) return client;
      client = address;
      if (!this.includes(address)) return client;
      end = comma;
    }
    return client;
  }
}

/** The address of one entry, which may carry a port (`10.0.0.1:80`, `[::1]:80`), or null. */
function readAddress(entry: string): string | null {
  // No address is longer; what is, is not worth trimming.
  if (entry.length > 100) return null;
  let text = entry.trim();
  if (text.startsWith('[')) text = text.includes(']') ? text.slice(1, text.indexOf(']')) : '';
  else if (isIP(text) === 0 && text.includes(':')) text = text.slice(0, text.indexOf(':'));
  const family = isIP(text);
  if (family === 0) return null;
  return family === 4 ? text : plain(new SocketAddress({ address: text, family: 'ipv6' }).address);
}
