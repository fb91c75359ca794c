import http from 'node:http';

/** As the environment names them; the first that is set counts, lower case first, as Node has it. */
const PROXY_VARIABLES = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'] as const;

/** What runs on this machine is reached without a proxy; Node by itself would ask the proxy for it. */
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

type SetGlobalProxy = (env: Record<string, string | undefined>) => unknown;

/**
 * Sends this process's requests through the proxy that the environment names. Whoever sets
 * NODE_USE_ENV_PROXY has told Node itself, and Node's own rules hold.
 * @returns what the user should be warned of, or undefined.
 * @throws Error when a variable holds no address of a proxy.
 */
export function useProxy(
  env: NodeJS.ProcessEnv,
  // Absent before Node 24.14; bin/tillroll.js then starts Node anew with NODE_USE_ENV_PROXY.
  setGlobalProxy = (http as { setGlobalProxyFromEnv?: SetGlobalProxy }).setGlobalProxyFromEnv,
): string | undefined {
  const name = PROXY_VARIABLES.find((variable) => env[variable]);
  if (name === undefined || env['NODE_USE_ENV_PROXY'] !== undefined) return undefined;
  if (!setGlobalProxy) {
    return `this Node (${process.versions.node}) cannot use the proxy in ${name}; requests go direct (Node 22.21 or newer can)`;
  }
  for (const variable of PROXY_VARIABLES) checkAddress(variable, env[variable]);
  const direct = [env['no_proxy'] || env['NO_PROXY'], ...LOOPBACK].filter(Boolean).join(',');
  setGlobalProxy({ ...env, no_proxy: direct });
  return undefined;
}

/** Its value is not shown: it may hold a password. */
function checkAddress(variable: string, value: string | undefined): void {
  if (!value) return;
  const protocol = URL.canParse(value) ? new URL(value).protocol : '';
  if (protocol === 'http:' || protocol === 'https:') return;
  throw new Error(
    `${variable} must be an address such as http://proxy.example.com:3128, and is not; mend it or unset it`,
  );
}
