/** Runs a suite's command line: its options, its signals and its exit code. */

const EXIT_USAGE = 2;

/** A suite that `npm run` starts, such as the attacks. */
export interface Suite<O extends { readonly help: boolean; readonly list: boolean }> {
  /** The beginning of each line of an error. */
  readonly name: string;
  readonly help: string;
  /** @throws Error for options that are not usable. */
  readonly parse: (args: readonly string[]) => O;
  /** A line for each thing that the suite can run. */
  readonly list: () => readonly string[];
  /** @returns whether all passed. */
  readonly run: (options: O, signal: AbortSignal) => Promise<boolean>;
  /** An error as it is printed. */
  readonly describe: (error: unknown) => string;
}

/** @returns the exit code: 0 when all passed, 1 when something did not, 2 for options that are not usable. */
export async function runSuite<O extends { readonly help: boolean; readonly list: boolean }>(
  suite: Suite<O>,
  args: readonly string[],
): Promise<number> {
  const { name, help, describe } = suite;
  let options: O;
  try {
    options = suite.parse(args);
  } catch (error) {
    console.error(`${name}: ${describe(error)}\n\n${help}`);
    return EXIT_USAGE;
  }
  if (options.help) {
    console.log(help);
    return 0;
  }
  if (options.list) {
    for (const line of suite.list()) console.log(line);
    return 0;
  }
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stopping.abort(new Error(`interrupted by ${signal}`)));
  try {
    return (await suite.run(options, stopping.signal)) ? 0 : 1;
  } catch (error) {
    console.error(`${name}: ${describe(error)}`);
    return 1;
  }
}
