/** How much of everything a benchmark of a database server measures. */
export interface Sizes {
  readonly rounds: number;
  /** Batches of each turn that do not count, before those that do. */
  readonly warmup: number;
  readonly count: number;
  /** Of the table whose lists are measured. */
  readonly rows: number;
  /** Of each list. */
  readonly samples: number;
}
