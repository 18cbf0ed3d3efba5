/** How values are distributed over buckets: what a Prometheus histogram shows, for values that come with every write. */
export class Distribution {
  readonly #bounds: readonly number[];
  /** One more than there are bounds: what is above all of them. Not cumulative. */
  readonly #counts: Float64Array;
  #sum = 0;

  /** `bounds` ascend. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
  }

  /** Its lines in Prometheus' text format; `label` is `name="value"`, or empty. */
  lines(name: string, label = ''): string[] {
    const only = label === '' ? '' : `{${label}}`;
    const before = label === '' ? '' : `${label},`;
    let count = 0;
    const buckets = [...this.#counts].map((inBucket, i) => {
      count += inBucket;
      return `${name}_bucket{${before}le="${this.#bounds[i] ?? '+Inf'}"} ${count}`;
    });
    return [...buckets, `${name}_sum${only} ${this.#sum}`, `${name}_count${only} ${count}`];
  }
}

/** From 50 microseconds to 5 seconds. */
export const LATENCY_BOUNDS_SECONDS = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];

/** One histogram in Prometheus' text format. */
export function histogramText(options: {
  readonly name: string;
  readonly help: string;
  readonly lines: readonly string[];
}): string {
  const { name, help, lines } = options;
  return [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...lines, ''].join('\n');
}
