import { type FileHandle, open, unlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreError } from '../../store-error.ts';
import { directoryError } from '../files/directory-error.ts';
import { formatLock, type LockContent, parseLock } from './lock-content.ts';
import { LockHeldError } from './lock-held-error.ts';
import { BEAT_MS, isNeighbour, isStale, OWN_LIMIT_MS } from './lock-verdict.ts';
import {
  isAlive,
  monotonicNow,
  newOwner,
  ownIdentity,
  type ProcessIdentity,
} from './process-identity.ts';
import type { SharedState } from './shared-state.ts';
import { isGone, SignOfLife } from './sign-of-life.ts';
import { codeOf, readIfThere, removeStale, sweepAside } from './stale-lock.ts';

/** Rounds of one acquisition: each one lost means that another waiter was quicker. */
const ROUNDS = 3;

/**
 * How long a lock that was taken over must stand before it counts: a slower waiter that has judged
 * the former one renames this one instead and puts it back, and a third may come in between.
 */
const SETTLE_MS = 250;

/**
 * The lock file that keeps two sidecars from one database, `<database>.lock`. POSIX locks do not
 * reach through WebAssembly, nor between the containers of every volume.
 *
 * - free: no file, one that {@link isStale}, or one whose holder's process has ended for sure.
 *   `acquire` makes it ours.
 * - held: `beat` renews it, once a second. A beat rewrites the file through the handle it was
 *   created with, so it can never overwrite somebody else's, then reads it back by its name: only
 *   when our own words stand there is the lock still ours. The moment before that beat goes into
 *   {@link SharedState}, where the worker looks before it writes.
 * - lost: the file is gone, another's, or unreadable. Nothing is written any more until it is
 *   acquired again, after the worker's end.
 *
 * A lock protects by time and so cannot fence off a write that the kernel has accepted and delays.
 */
export class LockFile {
  readonly path: string;
  readonly #state: SharedState;
  readonly #owner = newOwner();
  readonly #sign = new SignOfLife(this.#owner);
  #network = '';
  #self: ProcessIdentity | undefined;
  #handle: FileHandle | undefined;
  #beats = 0;
  #beating: Promise<string | undefined> | undefined;
  /** The foreign content last seen, and since when: kept from one `acquire` to the next. */
  #seen: { readonly text: string; readonly sinceMs: number } | undefined;

  /** @param database the file that the lock protects, symbolic links resolved */
  constructor(database: string, state: SharedState) {
    this.path = `${database}.lock`;
    this.#state = state;
  }

  get held(): boolean {
    return this.#handle !== undefined;
  }

  /**
   * Makes the lock ours, or leaves at once.
   *
   * @returns the holder whose stale lock was taken over, if there was one
   * @throws LockHeldError while another sidecar holds it, as far as one look can tell
   * @throws StoreError when the directory does not let us
   */
  async acquire(): Promise<LockContent | undefined> {
    if (this.held) await this.#reassure();
    let former: LockContent | undefined;
    for (let round = 0; round < ROUNDS && !this.held; round++) {
      if (await this.#create()) {
        // Where a lock lay before, another waiter may be about to move this one aside for it.
        if (former !== undefined || round > 0) await sleep(SETTLE_MS);
        if ((await this.beat()) === undefined && this.held) {
          await sweepAside(this.path);
          return former;
        }
      }
      const text = await readIfThere(this.path).catch((error: unknown) => {
        throw directoryError(`read the lock ${this.path}`, error);
      });
      if (text === undefined) continue;
      const content = parseLock(text);
      if (!(await this.#mayTake(text, content))) throw new LockHeldError(this.path, content);
      if (await removeStale(this.path, text)) former = content;
    }
    if (this.held) return undefined;
    throw new StoreError(`other sidecars contend for ${this.path}, waiting`);
  }

  /**
   * Renews the lock. Never rejects. While one beat is under way, another call joins it.
   *
   * @returns why the lock is lost, or undefined while it is ours
   */
  beat(): Promise<string | undefined> {
    if (this.#beating === undefined) {
      const beating = this.#beat().finally(() => {
        if (this.#beating === beating) this.#beating = undefined;
      });
      this.#beating = beating;
    }
    return this.#beating;
  }

  /** Removes the lock if it is still ours. Call it after the worker's end. Never rejects. */
  async release(): Promise<void> {
    const handle = this.#handle;
    if (handle !== undefined) {
      const text = await readIfThere(this.path).catch(() => undefined);
      const ours = text !== undefined && parseLock(text)?.owner === this.#owner;
      if (ours) await unlink(this.path).catch(() => {});
      await this.#drop(handle);
    }
    this.#sign.end();
  }

  async #beat(): Promise<string | undefined> {
    const handle = this.#handle;
    if (handle === undefined) return undefined;
    const at = monotonicNow();
    try {
      const text = await this.#write(handle, at);
      if ((await readIfThere(this.path)) === text) {
        if (this.#handle === handle) this.#state.renew(at);
        return undefined;
      }
      await this.#drop(handle);
      return `the lock ${this.path} was removed or taken over`;
    } catch (error) {
      // One beat may fail and the next succeed; what counts is the age of the last good one.
      if (this.#state.lockAgeMs < OWN_LIMIT_MS) return undefined;
      await this.#drop(handle);
      return `cannot renew the lock ${this.path}: ${codeOf(error)}`;
    }
  }

  /** A lock that was held all along is looked at again when its last good beat is old. */
  async #reassure(): Promise<void> {
    if (this.#state.lockAgeMs < 2 * BEAT_MS) return;
    const beat = this.beat().then(() => 'done' as const);
    const outcome = await Promise.race([
      beat,
      sleep(OWN_LIMIT_MS, 'late' as const, { ref: false }),
    ]);
    if (outcome === 'late') throw new StoreError(`renewing the lock ${this.path} hangs`);
  }

  async #create(): Promise<boolean> {
    this.#self ??= await ownIdentity();
    this.#network = await this.#sign.give();
    const at = monotonicNow();
    let handle: FileHandle;
    try {
      handle = await open(this.path, 'wx', 0o640);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw directoryError(`create the lock ${this.path}`, error);
    }
    try {
      await this.#write(handle, at);
    } catch (error) {
      await unlink(this.path).catch(() => {});
      await handle.close().catch(() => {});
      throw directoryError(`write the lock ${this.path}`, error);
    }
    this.#handle = handle;
    // One that is still under way is of the lock before, and says nothing of this one.
    this.#beating = undefined;
    this.#seen = undefined;
    this.#state.renew(at);
    return true;
  }

  async #write(handle: FileHandle, at: bigint): Promise<string> {
    this.#beats += 1;
    const text = formatLock({
      owner: this.#owner,
      ...this.#self!,
      network: this.#network,
      beat: this.#beats,
      monotonicMs: Number(at / 1_000_000n),
      time: new Date().toISOString(),
    });
    await handle.write(text, 0);
    return text;
  }

  /** Whether a lock that stands there may be taken over. */
  async #mayTake(text: string, content: LockContent | undefined): Promise<boolean> {
    const nowMs = Number(monotonicNow() / 1_000_000n);
    if (this.#seen?.text !== text) this.#seen = { text, sinceMs: nowMs };
    // Our own, lost for a moment and put back; whoever wrote under it has ended.
    if (content?.owner === this.#owner) return true;
    if (isStale({ content, unchangedMs: nowMs - this.#seen.sinceMs, nowMs }, this.#self!)) {
      return true;
    }
    if (content === undefined) return false;
    if (isNeighbour(content, this.#self!)) return !(await isAlive(content.pid, content.started));
    // The container before this one in the same Pod, most often.
    const sameBoot = content.boot !== '' && content.boot === this.#self!.boot;
    return sameBoot && isGone(content.owner, content.network ?? '');
  }

  async #drop(handle: FileHandle): Promise<void> {
    this.#handle = undefined;
    this.#state.revoke();
    await handle.close().catch(() => {});
  }
}
