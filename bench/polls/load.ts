/** Sends requests on many connections and measures their rate. */
import { Pool } from 'undici';

/** The result of one round of requests. */
export interface Rate {
  /** Answers a second. */
  perSecond: number;
  /** The slowest answer but one in a hundred, ms. */
  p99Ms: number;
}

/**
 * Asks for one URL on `connections` connections, each with one request under way, for `seconds`.
 * @throws when an answer is not `expected`.
 */
export async function requestsPerSecond(
  url: string,
  headers: Record<string, string>,
  connections: number,
  seconds: number,
  expected = 200,
): Promise<Rate> {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections, pipelining: 1 });
  const times: number[] = [];
  const started = performance.now();
  const deadline = started + seconds * 1000;
  const ask = async (): Promise<void> => {
    for (let before = performance.now(); before < deadline;) {
      const { statusCode, body } = await pool.request({ path: pathname, method: 'GET', headers });
      await body.dump();
      if (statusCode !== expected) throw new Error(`${pathname} answered ${statusCode}`);
      const now = performance.now();
      times.push(now - before);
      before = now;
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, ask));
    const perSecond = (times.length / (performance.now() - started)) * 1000;
    times.sort((a, b) => a - b);
    return { perSecond, p99Ms: times[Math.floor(times.length * 0.99)] ?? Number.NaN };
  } finally {
    await pool.close();
  }
}
