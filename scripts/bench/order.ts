/** What a run of the benchmark is asked for. */
export interface Order {
  readonly rounds: number;
  readonly quick: boolean;
  /** Only cases whose title contains it. */
  readonly only: string;
  readonly suites: readonly string[];
  readonly markdown: boolean;
}
