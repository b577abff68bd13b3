import { spawn } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { SidecarProcess } from '../../sidecar/support/sidecar-process.ts';
import type { Container } from './confinement.ts';

/**
 * Starts a container's program as this user, for whom its tree is made read-only: all that can be
 * had where no mounts can be made.
 *
 * @param root holds the image's files
 * @param volume is where it keeps its database
 */
export async function startInPlace(
  { entrypoint, env }: Container,
  root: string,
  volume: string,
): Promise<SidecarProcess> {
  for (const path of ['app', 'usr/local/bin']) chmodSync(join(root, path), 0o555);
  const [program = '', ...args] = entrypoint.map((word) =>
    word.startsWith('/') ? join(root, word) : word,
  );
  const sidecar = new SidecarProcess(
    spawn(program, args, {
      env: {
        ...env,
        STORAGE_API_ADDRESS: '127.0.0.1:0',
        STORAGE_OPS_ADDRESS: '127.0.0.1:0',
        STORAGE_SQLITE_PATH: join(volume, 'agenttier.db'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  try {
    await sidecar.listening(['api', 'ops']);
  } catch (error) {
    await sidecar[Symbol.asyncDispose]();
    throw error;
  }
  return sidecar;
}
