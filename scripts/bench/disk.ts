import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { median, percentile } from './statistics.ts';

const SYNCS = 200;
const BYTES = 4_096;

export interface SyncLatency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Measures how long fdatasync takes in a directory, each after 4 KiB appended to a file. */
export function measureSync(directory: string): SyncLatency {
  const path = `${directory}/sync-latency`;
  const file = openSync(path, 'w');
  try {
    const block = Buffer.alloc(BYTES, 1);
    const latencies: number[] = [];
    for (let i = 0; i < SYNCS; i++) {
      writeSync(file, block);
      const started = performance.now();
      fdatasyncSync(file);
      latencies.push(performance.now() - started);
    }
    return { p50Ms: median(latencies), p99Ms: percentile(latencies, 99) };
  } finally {
    closeSync(file);
    rmSync(path);
  }
}
