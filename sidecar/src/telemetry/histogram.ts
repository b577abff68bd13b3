/**
 * A histogram as plain numbers: observing costs a search and an addition, and the metrics page
 * reads it at scrape time. (One labelled observe of the client library costs a fifth of a request.)
 */
export class Histogram {
  /** Upper bounds, inclusive and ascending; a last bucket without bound follows them. */
  readonly bounds: readonly number[];
  /** Observations a bucket, not cumulative: one more than there are bounds. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > (this.bounds[bucket] ?? 0)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += value;
  }
}
