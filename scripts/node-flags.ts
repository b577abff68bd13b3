/**
 * What Node is started with wherever the sidecar runs: by the npm scripts, the tests and the image.
 *
 * - `--max-semi-space-size=2`: V8's young generation otherwise grows to 16 MiB a half under load
 *   and stays resident.
 * - `--heap-growing-percent=20`: V8 otherwise lets the garbage of large answers pile up to four
 *   times what is in use before it collects; there is little in use, so collecting it is cheap.
 * - `--disable-sigusr1`: a signal must not open a debugger's port.
 */
export const NODE_FLAGS = [
  '--max-semi-space-size=2',
  '--heap-growing-percent=20',
  '--disable-sigusr1',
];

/**
 * How glibc's malloc treats the buffers of bodies and batches
 * (https://man7.org/linux/man-pages/man3/mallopt.3.html); other C libraries ignore it. By default it
 * learns from the first large buffer that is freed to keep all of them, in a heap for each thread,
 * where they leave holes that stay resident.
 *
 * - MALLOC_ARENA_MAX: two threads allocate much, and each further heap has holes of its own.
 * - MALLOC_MMAP_THRESHOLD_: from here on a buffer is a mapping of its own, which goes when it is
 *   freed. It is above the 64 KiB that Node takes for each read of a socket.
 * - MALLOC_TRIM_THRESHOLD_: free memory at the end of a heap goes back from here on.
 */
export const MALLOC_ENV = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '1048576',
} as const;
