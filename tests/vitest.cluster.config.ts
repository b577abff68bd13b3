import { defineConfig } from 'vitest/config';

/** The tests that need a whole cluster: `npm run test:cluster`. */
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['tests/cluster/**/*.test.ts'],
    globalSetup: ['tests/cluster/support/setup.ts'],
    // Most of the time they wait for kubelet.
    maxWorkers: 3,
    testTimeout: 300_000,
    // A cold cache builds Kubernetes first.
    hookTimeout: 1_800_000,
  },
});
