import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Container } from './confinement.ts';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));

interface Inspection {
  readonly OCIv1: {
    readonly config: {
      readonly User: string;
      readonly Env: readonly string[];
      readonly Entrypoint: readonly string[];
      readonly Cmd?: readonly string[];
      readonly WorkingDir: string;
      readonly StopSignal: string;
      readonly Labels: Readonly<Record<string, string>>;
    };
    readonly rootfs: { readonly diff_ids: readonly string[] };
  };
}

/**
 * Buildah with a store of its own, so that a test neither sees nor leaves images of this machine.
 */
export class ImageStore {
  readonly #env: NodeJS.ProcessEnv;

  /** @param directory is left to the caller to remove, after `clear` */
  constructor(directory: string) {
    if (spawnSync('buildah', ['--version']).status !== 0) {
      throw new Error('buildah is missing; on Debian: apt-get install buildah');
    }
    const configuration = join(directory, 'storage.conf');
    // Overlays are quick and take mounts, which only root may make.
    const driver = process.getuid?.() === 0 ? 'overlay' : 'vfs';
    writeFileSync(
      configuration,
      `[storage]\ndriver = "${driver}"\ngraphroot = "${directory}/graph"\nrunroot = "${directory}/run"\n`,
    );
    this.#env = { ...process.env, ENGINE: 'buildah', CONTAINERS_STORAGE_CONF: configuration };
  }

  /** Builds the sidecar's image on local bases by scripts/image. */
  build(name: string, env: NodeJS.ProcessEnv = {}): void {
    execFileSync(join(REPOSITORY, 'scripts/image'), ['--local-base', name], {
      env: { ...this.#env, ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  /** Makes the local bases; returns how scripts/base-image ended. */
  makeBases(env: NodeJS.ProcessEnv): number | null {
    return spawnSync(join(REPOSITORY, 'scripts/base-image'), { env: { ...this.#env, ...env } })
      .status;
  }

  /** The working containers that are there. */
  containers(): string[] {
    return this.#buildah('containers', '--quiet').split('\n').filter(Boolean);
  }

  inspect(name: string): Inspection['OCIv1'] {
    return (JSON.parse(this.#buildah('inspect', '--type=image', name)) as Inspection).OCIv1;
  }

  /** What it takes on the disk of a node, in bytes. */
  size(name: string): number {
    return (
      Number(this.#buildah('images', '--json', name).match(/"size": "([\d.]+) MB"/)?.[1]) * 1e6
    );
  }

  /** Unpacks an image; returns its root directory, which is there until `clear`. */
  unpack(name: string): string {
    const container = this.#buildah('from', '--pull-never', name);
    return this.#buildah('mount', container);
  }

  clear(): void {
    this.#buildah('rm', '--all');
    this.#buildah('rmi', '--all', '--force');
  }

  #buildah(...args: readonly string[]): string {
    return execFileSync('buildah', args, { env: this.#env, encoding: 'utf8' }).trim();
  }
}

/** What a container engine would start of an image. */
export function containerOf({ config }: Inspection['OCIv1']): Container {
  return {
    entrypoint: [...config.Entrypoint, ...(config.Cmd ?? [])],
    env: Object.fromEntries(config.Env.map((pair) => pair.split(/=(.*)/, 2))),
    user: config.User,
  };
}
