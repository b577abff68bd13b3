import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../sidecar/support/temporary-directory.ts';
import { startConfined } from './support/confinement.ts';
import { readDockerfile } from './support/dockerfile.ts';
import { containerOf, ImageStore } from './support/image.ts';
import { layOut } from './support/layout.ts';
import { expectToKeepARecord } from './support/record.ts';

const dockerfile = readDockerfile();
const NAME = 'localhost/agenttier-storage:test';

describe('the image that buildah builds', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let store: ImageStore;

  beforeAll(async () => {
    directory = await temporaryDirectory();
    store = new ImageStore(directory.root);
    store.build(NAME);
  }, 300_000);

  afterAll(async () => {
    store.clear();
    await directory[Symbol.asyncDispose]();
  });

  it('says to Kubernetes and to registries what the Dockerfile says', () => {
    const { config } = store.inspect(NAME);
    const { PATH: _, ...env } = containerOf({ config, rootfs: { diff_ids: [] } }).env;
    expect(env).toEqual(dockerfile.env);
    expect(config.Entrypoint).toEqual(dockerfile.entrypoint);
    expect(config.Cmd ?? []).toEqual([]);
    expect(config.User).toBe(dockerfile.user);
    expect(config.WorkingDir).toBe('/app');
    expect(config.StopSignal).toBe('SIGTERM');
    expect(config.Labels).toMatchObject({
      'org.opencontainers.image.title': 'AgentTier storage sidecar',
      'org.opencontainers.image.licenses': 'Apache-2.0',
      'org.opencontainers.image.version': expect.stringMatching(/^\d+\.\d+\.\d+/),
      'org.opencontainers.image.revision': expect.stringMatching(/^[0-9a-f]{40}$/),
    });
  });

  it('stays below 250 MB', () => {
    expect(store.size(NAME)).toBeGreaterThan(100e6);
    expect(store.size(NAME)).toBeLessThan(250e6);
  });

  it('has layers of the same digests when another machine builds it from the same bundle', async () => {
    await using elsewhere = await temporaryDirectory();
    const other = new ImageStore(elsewhere.root);
    other.build(NAME);
    expect(other.inspect(NAME).rootfs).toEqual(store.inspect(NAME).rootfs);
    other.clear();
  }, 300_000);

  it('keeps a record as an unprivileged process 1, on a read-only root without a shell', async () => {
    const root = store.unpack(NAME);
    await using laidOut = await temporaryDirectory();
    const expected = layOut(dockerfile, laidOut.root).filter((path) => path.startsWith('/app/'));
    expect(
      readdirSync(join(root, 'app'))
        .map((name) => `/app/${name}`)
        .sort(),
    ).toEqual(expected);
    expect(['bin/sh', 'usr/bin/sh'].filter((path) => existsSync(join(root, path)))).toEqual([]);

    const volume = directory.path('volume');
    mkdirSync(volume);
    const container = containerOf(store.inspect(NAME));
    await using sidecar = await startConfined(container, root, volume, { libraries: 'own' });
    await expectToKeepARecord(sidecar);
    expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
    expect(sidecar.stray).toBe('');
  });
});
