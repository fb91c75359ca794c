/** Starts the HTTP server. */
import type { Config } from '../config/settings.ts';
import type { Deadline } from '../deadline.ts';
import type { App } from '../http/app.ts';
import type { HttpContext } from '../http/context.ts';
import type { Logger } from '../log.ts';
import { isRefusedPort, listenOnUsablePort } from './ports.ts';

/** An application that listens. */
export interface Listening {
  /** The address it listens on. */
  readonly url: string;
  close(deadline: Deadline): Promise<void>;
}

/** Starts the API. `context.publicUrl` is added here: unless it is configured, it is known only now. */
export async function listen(
  config: Config,
  context: Omit<HttpContext, 'publicUrl'>,
): Promise<Listening> {
  let publicUrl = config.publicUrl ?? '';
  // Loaded when used: a worker alone needs no HTTP.
  const { createApp } = await import('../http/app.ts');
  // One server, one address: "localhost" may stand for two.
  const host = config.host === 'localhost' ? '127.0.0.1' : config.host;
  const open = async (): Promise<{ app: App; url: string; close: () => Promise<void> }> => {
    const app = await createApp({ ...context, publicUrl: () => publicUrl });
    const url = await app.listen({ host, port: config.port });
    return { app, url, close: () => app.close() };
  };
  const { app, url } = await (config.port === 0 ? listenOnUsablePort(open) : open());
  publicUrl ||= url;
  warnOfRefusedPort(publicUrl, context.log);
  return { url, close: (deadline) => closeApp(app, deadline) };
}

function warnOfRefusedPort(url: string, log: Logger): void {
  if (!isRefusedPort(url)) return;
  log.warn(
    { port: Number(new URL(url).port) },
    'browsers and fetch() refuse to connect to this port: choose another one in PORT, or in TILLROLL_PUBLIC_URL',
  );
}

async function closeApp(app: App, deadline: Deadline): Promise<void> {
  // An upload or download that outlasts the grace is cut.
  const timer = setTimeout(() => app.server.closeAllConnections(), deadline.remainingMs());
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
  }
}
