import { Registry } from '@prometheus-io/client';
import type { Histogram } from './histogram.ts';

export type Labels = Readonly<Record<string, string>>;

/** One line of a family: a value under its labels. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** Of the members of a histogram: `<name>_bucket`, `<name>_sum`, `<name>_count`. */
  readonly metricName?: string;
}

/** One metric with all its series, as it is at this moment. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly values: readonly Sample[];
}

type Values = number | readonly Sample[];

/** A value that only grows since the process's start; its name ends in `_total`. */
export function counter(name: string, help: string, values: Values): Family {
  return { name, help, type: 'counter', values: samples(values) };
}

export function gauge(name: string, help: string, values: Values): Family {
  return { name, help, type: 'gauge', values: samples(values) };
}

/** A constant 1 whose labels tell something; its name ends in `_info`. */
export function info(name: string, help: string, labels: Labels): Family {
  return { name, help, type: 'gauge', values: [{ labels, value: 1 }] };
}

export function histogram(
  name: string,
  help: string,
  series: readonly { readonly labels: Labels; readonly histogram: Histogram }[],
): Family {
  const values = series.flatMap(({ labels, histogram }) => members(name, labels, histogram));
  return { name, help, type: 'histogram', values };
}

function samples(values: Values): readonly Sample[] {
  return typeof values === 'number' ? [{ labels: {}, value: values }] : values;
}

function members(name: string, labels: Labels, { bounds, counts, sum }: Histogram): Sample[] {
  let count = 0;
  const buckets = Array.from(counts, (inBucket, i) => {
    count += inBucket;
    const le = i < bounds.length ? String(bounds[i]) : '+Inf';
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}

export const EXPOSITION_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/**
 * Renders families in Prometheus's text format. The client library keeps no values for us: its
 * registry takes them as a snapshot, which is how it merges those of other processes.
 */
export function render(families: readonly Family[]): Promise<string> {
  return Registry.aggregate([[...families]]).metrics();
}
