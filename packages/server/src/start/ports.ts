/** Listens on a free port that browsers accept. */

/**
 * Ports to which browsers and fetch, and so most JavaScript clients, do not connect ("bad ports" of the
 * WHATWG Fetch standard).
 */
const REFUSED_PORTS: ReadonlySet<number> = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
  103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465,
  512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993,
  995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668,
  6669, 6679, 6697, 10080,
]);

const MAX_PICKS = 10;

/** Tells whether browsers and fetch refuse to connect to the port of an http or https address. */
export function isRefusedPort(url: string): boolean {
  const { port } = new URL(url);
  // Without a port it is 80 or 443, which all of them take.
  return port !== '' && REFUSED_PORTS.has(Number(port));
}

/** The server at an address. */
interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Listens where the system picks the port, and once more when it picked one that clients refuse.
 * @param listen listens on a port of the system's choice. After ten such ports the last one stays.
 */
export async function listenOnUsablePort<T extends Listening>(
  listen: () => Promise<T>,
): Promise<T> {
  for (let pick = 1; ; pick++) {
    const listening = await listen();
    if (!isRefusedPort(listening.url) || pick >= MAX_PICKS) return listening;
    await listening.close();
  }
}
