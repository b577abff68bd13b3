import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { MALLOC_ENV, NODE_FLAGS } from '../../../../scripts/node-flags.ts';
import { SidecarProcess } from '../../support/sidecar-process.ts';

const MAIN = fileURLToPath(new URL('../../../../sidecar/dist/main.mjs', import.meta.url));

/** Debian's and Kubernetes' number for a user without any rights. */
export const NOBODY = 65_534;

/** Whether this process may become another user. */
export const isRoot = process.getuid?.() === 0;

/** Whether this process may give a child a tree of mounts of its own. */
export function canUnshare(): boolean {
  return (
    isRoot && spawnSync('unshare', ['--mount', 'mount', '-o', 'remount,bind,ro', '/']).status === 0
  );
}

/** Leaves one directory writable of the whole file system, and becomes nobody. */
const CONFINE = `
  mount --bind "$1" "$1" && mount -o remount,bind,ro / || exit 70
  shift
  exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups "$@"`;

/** Starts a sidecar as nobody where this process may; waits until it listens. */
export async function startAsNobody(
  env: Readonly<Record<string, string>>,
): Promise<SidecarProcess> {
  return started([process.execPath], env, isRoot ? { uid: NOBODY, gid: NOBODY } : {});
}

/** Starts a sidecar as nobody, in whose file system only this directory can be written. */
export async function startConfined(
  directory: string,
  env: Readonly<Record<string, string>>,
): Promise<SidecarProcess> {
  const wrapper = ['unshare', '--mount', 'sh', '-c', CONFINE, 'sh', directory, process.execPath];
  return started(wrapper, { PATH: process.env.PATH ?? '', ...env }, {});
}

async function started(
  [command = '', ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
  user: { readonly uid?: number; readonly gid?: number },
): Promise<SidecarProcess> {
  const child = spawn(command, [...args, ...NODE_FLAGS, MAIN], {
    env: {
      ...MALLOC_ENV,
      STORAGE_API_ADDRESS: '127.0.0.1:0',
      STORAGE_OPS_ADDRESS: '127.0.0.1:0',
      ...env,
    },
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    ...user,
  });
  const sidecar = new SidecarProcess(child);
  try {
    await sidecar.listening(['api', 'ops']);
  } catch (error) {
    await sidecar[Symbol.asyncDispose]();
    throw error;
  }
  return sidecar;
}
