import type { WalOwner } from '../database/wal-owner.ts';
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

  constructor(buffer = new SharedArrayBuffer(32)) {
    this.buffer = buffer;
    this.#beat = new BigInt64Array(buffer, 0, 1);
    this.#activity = new Int32Array(buffer, 8, 1);
    this.walOwner = new SharedWalOwner(new Float64Array(buffer, 16, 2));
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
  /** Device and inode; an inode of 0 is none. */
  readonly #numbers: Float64Array;

  constructor(numbers: Float64Array) {
    this.#numbers = numbers;
  }

  get file(): FileIdentity | undefined {
    const [device = 0, inode = 0] = this.#numbers;
    return inode === 0 ? undefined : { device, inode };
  }

  set file(file: FileIdentity | undefined) {
    this.#numbers[0] = file?.device ?? 0;
    this.#numbers[1] = file?.inode ?? 0;
  }
}
