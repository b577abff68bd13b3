import { monotonicNow } from './process-identity.ts';

/**
 * What the HTTP thread and the worker know of each other without a message, in shared memory: when
 * the lock file was last renewed, and whether the worker moves.
 */
export class SharedState {
  readonly buffer: SharedArrayBuffer;
  readonly #beat: BigInt64Array;
  readonly #activity: Int32Array;

  constructor(buffer = new SharedArrayBuffer(16)) {
    this.buffer = buffer;
    this.#beat = new BigInt64Array(buffer, 0, 1);
    this.#activity = new Int32Array(buffer, 8, 1);
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
