/** The one file that knows prom-client: metrics by the catalogue's keys. */
import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { CATALOGUE, type Definition, type MetricKey } from './catalogue.ts';

type Client = typeof import('prom-client');

export type Labels = Readonly<Record<string, string>>;

/** One number of a metric at this moment. */
export interface Sample {
  readonly value: number;
  readonly labels: Labels;
}

/** One metric with its numbers, as it passes between processes. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly (Sample & { readonly metricName?: string })[];
}

/** The metrics of one process. */
export class ProcessRegistry {
  readonly #client: Client;
  readonly #registry: Registry;
  readonly #counters = new Map<MetricKey, Counter>();
  readonly #histograms = new Map<MetricKey, Histogram>();

  private constructor(client: Client, processName: string) {
    this.#client = client;
    this.#registry = new client.Registry();
    this.#registry.setDefaultLabels({ process: processName });
    client.collectDefaultMetrics({ register: this.#registry });
    for (const { name, type } of this.#registry.getMetricsAsArray()) {
      // Not a counter in spite of its name: promtool refuses it, and the same is there without the suffix.
      if (String(type) !== 'counter' && name.endsWith('_total'))
        this.#registry.removeSingleMetric(name);
    }
    for (const key of Object.keys(CATALOGUE) as MetricKey[]) this.#add(key, CATALOGUE[key]);
  }

  /** @param processName value of the label `process`, which tells this process from others of one service. */
  static async open(processName: string): Promise<ProcessRegistry> {
    // Loaded when used: a service without metrics does not need it.
    return new ProcessRegistry(await import('prom-client'), processName);
  }

  #add(key: MetricKey, definition: Definition): void {
    const common = this.#configure(definition);
    if (definition.kind === 'counter') this.#counters.set(key, new this.#client.Counter(common));
    if (definition.kind === 'histogram') {
      const buckets = [...(definition.buckets ?? [])];
      this.#histograms.set(key, new this.#client.Histogram({ ...common, buckets }));
    }
  }

  #configure({ name, help, labels }: Definition): {
    name: string;
    help: string;
    labelNames: string[];
    registers: Registry[];
  } {
    return { name, help, labelNames: Object.keys(labels), registers: [this.#registry] };
  }

  count(key: MetricKey, labels: Labels, by = 1): void {
    this.#counters.get(key)?.inc(labels, by);
  }

  observe(key: MetricKey, labels: Labels, seconds: number): void {
    this.#histograms.get(key)?.observe(labels, seconds);
  }

  /** Makes a histogram show these labels before anything was observed, so that the first time is an increase. */
  zero(key: MetricKey, labels: Labels): void {
    this.#histograms.get(key)?.zero(labels);
  }

  /**
   * Reads a gauge, or a counter that is kept elsewhere, when somebody looks.
   * @param read the numbers now; none where they are not known.
   */
  readAtScrape(key: MetricKey, read: () => Sample[] | Promise<Sample[]>): void {
    const definition: Definition = CATALOGUE[key];
    const empty = (metric: Counter | Gauge): void => {
      metric.reset();
      // Without labels a reset leaves a zero, which would be a number that nobody knows.
      if (Object.keys(definition.labels).length === 0) metric.remove({});
    };
    if (definition.kind === 'gauge') {
      const gauge = new this.#client.Gauge({
        ...this.#configure(definition),
        async collect() {
          const samples = await read();
          empty(gauge);
          for (const { labels, value } of samples) gauge.set(labels, value);
        },
      });
      return;
    }
    this.#registry.removeSingleMetric(definition.name);
    const counter = new this.#client.Counter({
      ...this.#configure(definition),
      async collect() {
        const samples = await read();
        empty(counter);
        for (const { labels, value } of samples) counter.inc(labels, value);
      },
    });
  }

  /** The numbers of this moment. */
  async read(): Promise<Family[]> {
    const metrics = (await this.#registry.getMetricsAsJSON()) as unknown as Family[];
    return metrics.map(({ name, help, type, values }) => ({ name, help, type, values }));
  }

  /** Renders the metrics of one or several processes as text. Their labels `process` differ. */
  async render(processes: readonly (readonly Family[])[]): Promise<string> {
    const mergeable = processes.map((families) =>
      // No two have the same labels, so that there is nothing to add up.
      families.map((family) => ({ ...family, aggregator: 'first' })),
    );
    return this.#client.AggregatorRegistry.aggregate(mergeable).metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}
