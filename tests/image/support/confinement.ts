import { spawn } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SidecarProcess } from '../../sidecar/support/sidecar-process.ts';

/** Where the tests give the container a volume, as the chart does. */
export const VOLUME = '/var/lib/agenttier';

/** Directories of this machine's C library, for a tree that has none of its own. */
const LIBRARIES = ['lib', 'lib64', 'usr/lib'];

/** A sidecar that is process 1 of its own: signals go to it, not to the program that confines it. */
class ConfinedSidecar extends SidecarProcess {
  override signal(signal: NodeJS.Signals): void {
    const children = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8');
    process.kill(Number.parseInt(children, 10), signal);
  }
}

/** What to run, as an image's configuration says it. */
export interface Container {
  readonly entrypoint: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** `uid:gid`. */
  readonly user: string;
}

/**
 * Makes `$1` a read-only root with /proc, /dev/null, a volume from `$2` and the libraries `$3`,
 * then becomes what follows in it. The mounts end with the process.
 */
const ENTER = `
  root=$1 volume=$2 libraries=$3; shift 3
  mount --make-rprivate / && mount --bind "$root" "$root" || exit 70
  mount -t proc proc "$root/proc" && mount --bind /dev/null "$root/dev/null" || exit 70
  mount --bind "$volume" "$root${VOLUME}" || exit 70
  for library in $libraries; do mount --bind /"$library" "$root/$library" && mount -o remount,bind,ro "$root/$library" || exit 70; done
  mount -o remount,bind,ro "$root" || exit 70
  exec "$@"`;

/**
 * Starts a container's program without a container engine: as its user and as process 1 of its own,
 * on a tree that is its root and read-only, with nothing in its environment but what the image and
 * the caller put there. Needs root.
 *
 * @param root holds the image's files; mount points are made in it
 * @param volume becomes the one writable directory
 */
export async function startConfined(
  { entrypoint, env, user }: Container,
  root: string,
  volume: string,
  options: { readonly libraries: 'own' | 'this machine' },
): Promise<SidecarProcess> {
  if (process.getuid?.() !== 0)
    throw new Error('a root of its own needs root: run the tests as root');
  const libraries = options.libraries === 'own' ? [] : LIBRARIES;
  for (const path of ['proc', 'dev', VOLUME, ...libraries]) {
    mkdirSync(join(root, path), { recursive: true });
  }
  // A mount point for a file.
  writeFileSync(join(root, 'dev/null'), '');
  const [uid, gid] = user.split(':').map(Number);
  chownSync(volume, Number(uid), Number(gid));
  const variables = Object.entries({
    ...env,
    STORAGE_API_ADDRESS: '127.0.0.1:0',
    STORAGE_OPS_ADDRESS: '127.0.0.1:0',
    STORAGE_SQLITE_PATH: `${VOLUME}/agenttier.db`,
  }).map(([name, value]) => `${name}=${value}`);
  const child = spawn(
    'unshare',
    [
      ...['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', ENTER, 'sh'],
      ...[root, volume, libraries.join(' ')],
      // By its path: env -i takes PATH away, and what follows keeps the number of the process.
      ...['env', '-i', ...variables, '/usr/sbin/chroot', `--userspec=${user}`, '--groups='],
      ...[root, ...entrypoint],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const sidecar = new ConfinedSidecar(child);
  try {
    await sidecar.listening(['api', 'ops']);
  } catch (error) {
    await sidecar[Symbol.asyncDispose]();
    throw error;
  }
  return sidecar;
}
