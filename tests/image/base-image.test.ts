import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../sidecar/support/temporary-directory.ts';
import { ImageStore } from './support/image.ts';

const PATH = process.env.PATH ?? '';

it.each(['copy', 'commit', 'nothing'])(
  'leaves no working container behind, where %s of buildah’s fails',
  async (failing) => {
    await using directory = await temporaryDirectory();
    mkdirSync(directory.path('bin'));
    const program = directory.path('bin', 'buildah');
    writeFileSync(
      program,
      `#!/bin/sh
[ "$1" != "${failing}" ] || exit 7
PATH='${PATH}'
exec buildah "$@"
`,
    );
    chmodSync(program, 0o755);
    const store = new ImageStore(directory.root);
    try {
      const status = store.makeBases({ PATH: `${directory.path('bin')}:${PATH}` });
      expect(status).toBe(failing === 'nothing' ? 0 : 7);
      expect(store.containers()).toEqual([]);
    } finally {
      store.clear();
    }
  },
  120_000,
);
