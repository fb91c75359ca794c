/** Finds the proxy for a URL, and makes the connections. */
import type { Dispatcher } from 'undici';
import { usageError } from '../errors.ts';
import { parseNoProxy } from './no-proxy.ts';

/** `environment`: the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name. `none`: no proxy. */
export type ProxyMode = 'environment' | 'none';

/** Lower case first, as curl and Node have it. An empty variable counts as absent. */
const VARIABLES = {
  'http:': ['http_proxy', 'HTTP_PROXY'],
  'https:': ['https_proxy', 'HTTPS_PROXY'],
};

/** Tells whether a URL leads to this machine. */
export function isLoopback({ hostname }: URL): boolean {
  const host = hostname.replace(/\.$/, '');
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(host)
  );
}

/** Addresses of proxies; undefined where there is none. */
export interface Proxies {
  http: string | undefined;
  https: string | undefined;
  /** Tells whether NO_PROXY names the host. */
  isException: (url: URL) => boolean;
}

/** Reads the proxies from the environment. @throws ExportError USAGE when a variable is not the address of a proxy. */
export function readProxies(mode: ProxyMode, env: NodeJS.ProcessEnv = process.env): Proxies {
  const isUsed = mode === 'environment';
  return {
    http: isUsed ? findProxy('http:', env) : undefined,
    https: isUsed ? findProxy('https:', env) : undefined,
    isException: parseNoProxy(env['no_proxy'] || env['NO_PROXY'] || ''),
  };
}

/**
 * Makes the connections of one client; this machine is always reached without a proxy.
 * @param silenceMs longest time for connecting.
 * @returns a function that finds the dispatcher for a URL.
 */
export function createDispatcherFor(
  { Agent, ProxyAgent }: typeof import('undici'),
  { http, https, isException }: Proxies,
  silenceMs: number,
): (url: URL) => Dispatcher {
  // HTTP/1.1: files arrive side by side on connections of their own.
  const options = { connectTimeout: silenceMs, allowH2: false };
  const direct = new Agent(options);
  const through = (uri: string | undefined): Dispatcher =>
    uri === undefined ? direct : new ProxyAgent({ ...options, uri });
  const proxied = { 'http:': through(http), 'https:': through(https) };
  return (url) =>
    isLoopback(url) || isException(url)
      ? direct
      : proxied[url.protocol === 'https:' ? 'https:' : 'http:'];
}

function findProxy(protocol: keyof typeof VARIABLES, env: NodeJS.ProcessEnv): string | undefined {
  const variable = VARIABLES[protocol].find((name) => env[name]);
  const address = variable === undefined ? undefined : env[variable];
  if (variable === undefined || address === undefined) return undefined;
  if (isProxyAddress(address)) return address;
  // The value is not shown: it may hold a password.
  throw usageError(`${variable} is not an address such as http://proxy.example.com:3128`, {
    hint: 'Correct the environment variable or unset it',
  });
}

function isProxyAddress(address: string): boolean {
  try {
    const { protocol, username, password } = new URL(address);
    // Percent-encoded; what cannot be decoded would fail in undici, which shows it.
    decodeURIComponent(`${username}${password}`);
    return protocol === 'http:' || protocol === 'https:';
  } catch {
    return false;
  }
}
