/** The service under test: an address, and tokens with known permissions. */
export interface Target {
  url: string;
  merchant: string;
  /** All four permissions. */
  token: string;
  /** Same merchant, another app, all permissions. */
  otherAppToken: string;
  otherMerchant: string;
  /** Another merchant, all permissions. */
  otherToken: string;
  /** Same merchant and app as `token`, `ORDERS_R` only. */
  readOrdersToken: string;
  revokedToken: string;
  /** True when the address came from the environment: tests that restart the service are skipped. */
  external: boolean;
}

declare module 'vitest' {
  export interface ProvidedContext {
    target: Target;
  }
}

/** @returns the service named by the environment, or nothing where the suite is to start its own. */
export function targetFromEnvironment(env: NodeJS.ProcessEnv): Target | undefined {
  const url = env['ACCEPTANCE_URL'];
  if (url === undefined || url === '') return undefined;
  const missing: string[] = [];
  const need = (name: string): string => {
    const value = env[name] ?? '';
    if (value === '') missing.push(name);
    return value;
  };
  const target: Target = {
    url: url.replace(/\/+$/, ''),
    merchant: need('ACCEPTANCE_MERCHANT'),
    token: need('ACCEPTANCE_TOKEN'),
    otherAppToken: need('ACCEPTANCE_OTHER_APP_TOKEN'),
    otherMerchant: need('ACCEPTANCE_OTHER_MERCHANT'),
    otherToken: need('ACCEPTANCE_OTHER_TOKEN'),
    readOrdersToken: need('ACCEPTANCE_READ_ORDERS_TOKEN'),
    revokedToken: need('ACCEPTANCE_REVOKED_TOKEN'),
    external: true,
  };
  if (missing.length > 0) {
    throw new Error(`ACCEPTANCE_URL is set, so these are needed too: ${missing.join(', ')}`);
  }
  return target;
}
