import { spawnSync } from 'node:child_process';

export interface SmallVolume extends AsyncDisposable {
  /** Lets nothing be written any more, or all again. */
  remount(mode: 'ro' | 'rw'): void;
}

/**
 * Mounts a volume of so many bytes on a directory, until the scope is left.
 *
 * @returns undefined where this machine does not let us mount
 */
export function smallVolume(directory: string, bytes: number): SmallVolume | undefined {
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', directory]);
  if (mounted.status !== 0) return undefined;
  return {
    remount(mode) {
      const { status, stderr } = spawnSync('mount', ['-o', `remount,${mode}`, directory]);
      if (status !== 0) throw new Error(`cannot remount: ${stderr}`);
    },
    async [Symbol.asyncDispose]() {
      spawnSync('umount', ['--lazy', directory]);
    },
  };
}
