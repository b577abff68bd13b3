/** The middle of some numbers; NaN of none. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The value below which so many percent of the values lie (nearest rank). */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.ceil((percent / 100) * sorted.length);
  return sorted[Math.min(sorted.length - 1, Math.max(0, rank - 1))] ?? Number.NaN;
}

/** p50, p99 and the longest of some latencies, for a reader. */
export function latencies(milliseconds: readonly number[]): string {
  const longest = milliseconds.reduce((most, one) => Math.max(most, one), 0);
  return [percentile(milliseconds, 50), percentile(milliseconds, 99), longest]
    .map((one) => `${one.toFixed(2)} ms`)
    .join(', ');
}
