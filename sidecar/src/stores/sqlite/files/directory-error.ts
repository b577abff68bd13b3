import { StoreError } from '../../store-error.ts';

const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'let the process write in that directory (in Kubernetes: fsGroup of the Pod)',
  EPERM: 'let the process write in that directory (in Kubernetes: fsGroup of the Pod)',
  EROFS: 'the volume is mounted read-only: mount it writable',
  ENOSPC: 'free space or enlarge the volume',
  EDQUOT: 'raise the quota of the volume',
  ENOTDIR: 'a part of the path is a file where a directory is needed',
  EEXIST: 'a part of the path is a file where a directory is needed',
  EISDIR: 'a directory lies where a file is needed: move it away',
  ENAMETOOLONG: 'choose a shorter path',
  ELOOP: 'the symbolic links of the path lead in a circle',
  ENOTEMPTY: 'a directory lies where a file or nothing is needed: move it away',
  EIO: 'the disk fails: check the volume and the log of the machine',
};

/**
 * What a failed call on the database's directory means to the operator.
 *
 * @param doing what was tried, to read after "cannot", with the path
 */
export function directoryError(doing: string, thrown: unknown): StoreError {
  const code = String((thrown as NodeJS.ErrnoException)?.code ?? 'unknown error');
  const hint = HINTS[code];
  return new StoreError(`cannot ${doing}: ${code}`, {
    cause: thrown,
    ...(hint === undefined ? {} : { hint }),
  });
}
