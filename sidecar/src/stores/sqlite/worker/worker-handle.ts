import { Worker } from 'node:worker_threads';
import { StoreError } from '../../store-error.ts';
import type { SharedState } from '../lock/shared-state.ts';
import {
  type Figures,
  fromPlain,
  NO_FIGURES,
  nameAndPlace,
  type Reply,
  type Request,
  type ResultOf,
  type WorkerData,
} from './protocol.ts';

/** A request without an answer for so long, from a worker that does not move, is a hung worker. */
const HUNG_MS = 5_000;

/**
 * V8's heap for the worker. SQLite's memory is not in it; what is, are the rows of one page on
 * their way out. A worker that exceeds it ends with ERR_WORKER_OUT_OF_MEMORY, and the process
 * lives on. The young generation is small because its pages, once touched, stay resident.
 */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 8 };

interface Waiting {
  readonly since: number;
  readonly op: Request['op'];
  resolve(result: unknown): void;
  reject(error: StoreError): void;
}

/**
 * The HTTP thread's side of one worker thread: requests and their replies, its end, and whether it
 * hangs. A worker lives once:
 *
 * - running: requests are answered in their order.
 * - failed: it announced or met a failure, or was told to end. New requests are refused; those that
 *   wait are answered by its exit and not before, because until then it may still commit them.
 * - exited: every request was answered.
 */
export class WorkerHandle {
  /** Resolves when the thread has ended. A thread stuck in a system call may never do so. */
  readonly exited: Promise<void>;
  readonly #worker: Worker;
  readonly #shared: SharedState;
  readonly #onNotice: (notice: string) => void;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #failure: StoreError | undefined;
  #corrupt = false;
  #hasLost = false;
  #hasFreezeEnded = false;
  #hasExited = false;
  #figures = NO_FIGURES;
  #activity: { readonly count: number; readonly at: number };

  /** @param onNotice told what the worker found amiss and dealt with, for the operator */
  constructor(url: URL, data: WorkerData, shared: SharedState, onNotice: (notice: string) => void) {
    this.#shared = shared;
    this.#onNotice = onNotice;
    this.#activity = { count: shared.activity, at: performance.now() };
    this.#worker = new Worker(url, {
      name: 'sqlite',
      workerData: data,
      resourceLimits: RESOURCE_LIMITS,
      // The worker needs none of it, and a DSN or a secret has no business there.
      env: {},
      execArgv: [],
    });
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    this.#worker.on('messageerror', () => this.end(new StoreError('unreadable message')));
    this.#worker.on('error', (error: NodeJS.ErrnoException) => {
      const what = error.code ?? nameAndPlace(error);
      this.#failure ??= new StoreError(`the SQLite worker failed: ${what}`, { cause: error });
    });
    this.exited = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#hasExited = true;
        this.#failure ??= new StoreError(`the SQLite worker ended by itself, code ${code}`);
        for (const waiting of this.#waiting.values()) waiting.reject(this.#failure);
        this.#waiting.clear();
        resolve();
      });
    });
  }

  /** Why the worker takes no more requests, or undefined while it does. */
  get failure(): StoreError | undefined {
    return this.#failure;
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** It met damage in the file. */
  get metCorruption(): boolean {
    return this.#corrupt;
  }

  /** Committed records are gone with its end. */
  get hasLost(): boolean {
    return this.#hasLost;
  }

  /** The last freeze has ended by itself, as far as is known yet: only the answer to a thaw is sure. */
  get hasFreezeEnded(): boolean {
    return this.#hasFreezeEnded;
  }

  /** As of the last reply. */
  get figures(): Figures {
    return this.#figures;
  }

  /**
   * Sends a request.
   *
   * @param transfer buffers of the request that move instead of being copied
   * @throws StoreError rejects with the worker's error, or with why it has ended
   */
  request<R extends Request>(request: R, transfer: ArrayBuffer[] = []): Promise<ResultOf<R>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#lastId += 1;
      const id = this.#lastId;
      this.#waiting.set(id, {
        since: performance.now(),
        op: request.op,
        resolve: resolve as (result: unknown) => void,
        reject,
      });
      this.#worker.postMessage({ id, request }, transfer);
    });
  }

  /**
   * Tells the worker to end now, whatever it does. Returns at once: see {@link exited}.
   *
   * @param reason what the waiting requests are told once it has ended
   */
  end(reason: StoreError): void {
    this.#failure ??= reason;
    // Resolves at the exit, which may never come.
    void this.#worker.terminate();
  }

  /** Seconds for which the oldest request has hung, or undefined while the worker moves. */
  hungSeconds(): number | undefined {
    if (this.#hasExited) return undefined;
    const now = performance.now();
    const count = this.#shared.activity;
    if (count !== this.#activity.count) this.#activity = { count, at: now };
    const oldest = this.#waiting.values().next().value;
    if (oldest === undefined) return undefined;
    const still = now - Math.max(oldest.since, this.#activity.at);
    return still < HUNG_MS ? undefined : Math.round((now - oldest.since) / 1_000);
  }

  /** Lists change nothing, so they need not wait for a hung worker's end. */
  giveUpLists(reason: StoreError): void {
    // They stay in the map, where they still count as what hangs.
    for (const waiting of this.#waiting.values()) {
      if (waiting.op === 'slice') waiting.reject(reason);
    }
  }

  #settle(reply: Reply): void {
    if (reply.ok) this.#figures = reply.figures ?? this.#figures;
    if (reply.ok && reply.notice !== undefined) this.#onNotice(reply.notice);
    if (reply.ok && reply.freezeEnded === true) this.#hasFreezeEnded = true;
    const waiting = this.#waiting.get(reply.id);
    // News that comes after this is of the freeze that it answers.
    if (reply.ok && waiting?.op === 'freeze') this.#hasFreezeEnded = false;
    this.#waiting.delete(reply.id);
    if (reply.ok) {
      waiting?.resolve(reply.result);
      return;
    }
    const error = fromPlain(reply.error);
    if (reply.fatal) {
      this.#failure ??= error;
      this.#corrupt ||= reply.error.corrupt;
      this.#hasLost ||= reply.error.lost;
    }
    waiting?.reject(error);
  }
}
