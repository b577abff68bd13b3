import type { Companion, LastSeen, WalOwner } from '../database/wal-owner.ts';
import type { FileIdentity } from '../files/file-identity.ts';
import { monotonicNow } from './process-identity.ts';

/**
 * What the HTTP thread and the worker know of each other without a message, in shared memory: when
 * the lock file was last renewed, whether the worker moves, and, from one worker to the next, which
 * file the WAL belongs to.
 */
export class SharedState {
  readonly buffer: SharedArrayBuffer;
  readonly #beat: BigInt64Array;
  readonly #activity: Int32Array;
  readonly walOwner: WalOwner;

  constructor(buffer = new SharedArrayBuffer(64)) {
    this.buffer = buffer;
    this.#beat = new BigInt64Array(buffer, 0, 1);
    this.#activity = new Int32Array(buffer, 8, 1);
    this.walOwner = new SharedWalOwner(buffer, 16);
  }

  /** The lock was ours at this moment of the monotonic clock. */
  renew(at: bigint): void {
    Atomics.store(this.#beat, 0, at);
  }

  /** The lock is not ours any more. */
  revoke(): void {
    Atomics.store(this.#beat, 0, 0n);
  }

  /** Milliseconds since the lock was last known to be ours; Infinity when it is lost. */
  get lockAgeMs(): number {
    const beat = Atomics.load(this.#beat, 0);
    return beat === 0n ? Number.POSITIVE_INFINITY : Number(monotonicNow() - beat) / 1e6;
  }

  /** The worker has begun or ended a call to the disk. */
  touch(): void {
    Atomics.add(this.#activity, 0, 1);
  }

  /** Changes whenever the worker touches the disk. */
  get activity(): number {
    return Atomics.load(this.#activity, 0);
  }
}

/** Written by the one thread that has the file open, or by the other while none does. */
class SharedWalOwner implements WalOwner {
  readonly companions: Record<Companion, LastSeen>;
  readonly #file: SharedIdentity;

  /** @param at of six numbers of eight bytes */
  constructor(buffer: SharedArrayBuffer, at: number) {
    const [file, wal, journal] = [0, 1, 2].map(
      (n) => new SharedIdentity(new Float64Array(buffer, at + n * 16, 2)),
    ) as [SharedIdentity, SharedIdentity, SharedIdentity];
    this.#file = file;
    this.companions = {
      get '-wal'() {
        return wal.value;
      },
      set '-wal'(seen) {
        wal.value = seen;
      },
      get '-journal'() {
        return journal.value;
      },
      set '-journal'(seen) {
        journal.value = seen;
      },
    };
  }

  get file(): FileIdentity | undefined {
    const { value } = this.#file;
    return value === 'none' ? undefined : value;
  }

  set file(file: FileIdentity | undefined) {
    this.#file.value = file;
  }
}

/** Inodes that no file has. */
const UNKNOWN = 0;
const NONE = -1;

class SharedIdentity {
  /** Device and inode. */
  readonly #numbers: Float64Array;

  constructor(numbers: Float64Array) {
    this.#numbers = numbers;
  }

  get value(): LastSeen {
    const [device = 0, inode = UNKNOWN] = this.#numbers;
    if (inode === NONE) return 'none';
    return inode === UNKNOWN ? undefined : { device, inode };
  }

  set value(seen: LastSeen) {
    const { device, inode } =
      seen === 'none' ? { device: 0, inode: NONE } : (seen ?? { device: 0, inode: UNKNOWN });
    this.#numbers[0] = device;
    this.#numbers[1] = inode;
  }
}
