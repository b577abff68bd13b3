import type { ProcessIdentity } from './process-identity.ts';

/** What stands in a lock file. */
export interface LockContent extends ProcessIdentity {
  /** Random, one for each holder. */
  readonly owner: string;
  /** Where its {@link SignOfLife} is seen; empty where nowhere, absent in what older ones wrote. */
  readonly network?: string;
  /** Grows by one with each beat. */
  readonly beat: number;
  /** The moment of the beat on the clock that all processes of one boot share. */
  readonly monotonicMs: number;
  /** The same for a reader, RFC 3339. */
  readonly time: string;
}

/** Every content is padded to this length, so that a beat overwrites exactly the one before. */
const LENGTH = 512;

export function formatLock(content: LockContent): string {
  return `${JSON.stringify(content).padEnd(LENGTH - 1)}\n`;
}

/** @returns undefined for what no holder wrote in full: an empty file, or one torn by a cut */
export function parseLock(text: string): LockContent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const lock = value as Record<string, unknown>;
  const texts = ['owner', 'host', 'started', 'pidNamespace', 'boot', 'time'];
  const numbers = ['pid', 'beat', 'monotonicMs'];
  if (!texts.every((name) => typeof lock[name] === 'string')) return undefined;
  if (!numbers.every((name) => typeof lock[name] === 'number')) return undefined;
  if (lock.network !== undefined && typeof lock.network !== 'string') return undefined;
  return lock as unknown as LockContent;
}
