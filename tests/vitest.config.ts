import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('..', import.meta.url)),
    include: ['tests/**/*.test.ts'],
    // These have a configuration of their own.
    exclude: ['tests/cluster/**'],
    globalSetup: ['tests/global-setup.ts'],
    // Most tests wait for processes, disks and clocks: more workers than cores keep the cores busy.
    maxWorkers: 4,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
