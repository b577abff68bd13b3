import { readdirSync } from 'node:fs';
import { counter, type Family, gauge, info } from './exposition.ts';

const startedAt = Date.now() / 1_000 - process.uptime();

/**
 * What the process and Node cost, under the names of Prometheus's conventions where those exist,
 * https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics. Picked by hand: the
 * library's own defaults include names that `promtool check metrics` refuses.
 */
export function processFamilies(): Family[] {
  const { user, system } = process.cpuUsage();
  const memory = process.memoryUsage();
  const loop = performance.eventLoopUtilization();
  return [
    counter('process_cpu_seconds_total', 'CPU time, user and system.', (user + system) / 1_000_000),
    gauge('process_resident_memory_bytes', 'Resident memory, file mappings included.', memory.rss),
    gauge('process_start_time_seconds', 'Start of the process, since the epoch.', startedAt),
    ...openFiles(),
    gauge('nodejs_heap_used_bytes', "V8's heap in use, of the HTTP thread.", memory.heapUsed),
    gauge('nodejs_heap_reserved_bytes', "V8's heap, of the HTTP thread.", memory.heapTotal),
    gauge('nodejs_external_memory_bytes', 'Buffers and the like, off the heap.', memory.external),
    counter(
      'nodejs_eventloop_active_seconds_total',
      'Time in which the event loop of the HTTP thread was busy.',
      loop.active / 1_000,
    ),
    counter(
      'nodejs_eventloop_idle_seconds_total',
      'Time in which the event loop of the HTTP thread waited.',
      loop.idle / 1_000,
    ),
    info('nodejs_version_info', 'The version of Node.', { version: process.version }),
  ];
}

/**
 * Nothing where there is no /proc. Without the thread pool: the kernel answers from its memory, while
 * calls to a volume that hangs may hold every thread of the pool.
 */
function openFiles(): Family[] {
  try {
    const open = readdirSync('/proc/self/fd');
    return [gauge('process_open_fds', 'Open file descriptors.', open.length)];
  } catch {
    return [];
  }
}
