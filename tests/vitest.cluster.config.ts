import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The one that takes long and waits most would else, being short to read, be the last, and alone. */
const FIRST = 'cost.test.ts';

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isFirst = ({ moduleId }: TestSpecification) => Number(moduleId.endsWith(FIRST));
    return (await super.sort(files)).toSorted((a, b) => isFirst(b) - isFirst(a));
  }
}

/** The tests that need a whole cluster: `npm run test:cluster`. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('..', import.meta.url)),
    include: ['tests/cluster/**/*.test.ts'],
    globalSetup: ['tests/cluster/support/setup.ts'],
    // Most of the time they wait for kubelet.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    testTimeout: 300_000,
    // A cold cache builds Kubernetes first.
    hookTimeout: 1_800_000,
  },
});
