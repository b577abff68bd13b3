import { StoreError } from '../store-error.ts';

/** How long a list waits for a connection. */
const WAIT_MS = 5_000;
/** After so long without a list a connection is given back to the server. */
const IDLE_MS = 60_000;

/** A connection of a driver. */
export interface Lendable {
  /** False once it broke or was cut. */
  readonly isUsable: boolean;
  /** Takes leave of the server; it is not waited for. */
  end(): unknown;
  /** Cuts it; a statement under way rejects. May be called twice. */
  destroy(): void;
}

interface Idle<S> {
  readonly session: S;
  readonly timer: NodeJS.Timeout;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * A few connections for lists, made when they are needed; the writer has its own, so that no list
 * is ever in its way. A list that finds all of them busy waits, and takes the place of one that is
 * done: who waits longest is first.
 */
export class Readers<S extends Lendable> {
  readonly #connect: () => Promise<S>;
  readonly #most: number;
  readonly #idle: Idle<S>[] = [];
  readonly #busy = new Set<S>();
  readonly #waiting: Waiting[] = [];
  /** Places taken, those of connections that are being made included. */
  #taken = 0;
  #ended = false;

  /**
   * @param connect answers a connection that is ready for use
   * @param most how many there may be; the server is somebody else's
   */
  constructor(connect: () => Promise<S>, most: number) {
    this.#connect = connect;
    this.#most = most;
  }

  /** Connections that are open. */
  get count(): number {
    const all = [...this.#idle.map(({ session }) => session), ...this.#busy];
    return all.filter(({ isUsable }) => isUsable).length;
  }

  /**
   * Lends a connection to a piece of work that has it alone; it is kept unless it broke.
   *
   * @throws {StoreError} when none becomes free in time, or after `end`; else what `connect` and
   * the work throw
   */
  async use<T>(work: (session: S) => Promise<T>): Promise<T> {
    await this.#takePlace();
    try {
      const session = await this.#session();
      this.#busy.add(session);
      try {
        return await work(session);
      } finally {
        this.#busy.delete(session);
        this.#giveBack(session);
      }
    } finally {
      this.#leavePlace();
    }
  }

  /** Ends those that are idle: they may lead to a server that is the primary no longer. */
  dropIdle(): void {
    for (const session of this.#takeAllIdle()) session.end();
  }

  /** Cuts all connections, those in use too, so that the next lists connect anew. */
  drop(): void {
    for (const session of [...this.#takeAllIdle(), ...this.#busy]) session.destroy();
  }

  /** Ends those that are idle, cuts those that are not, and refuses who waits and who comes. */
  end(): void {
    this.#ended = true;
    this.dropIdle();
    this.drop();
    for (const { reject, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      reject(closed());
    }
  }

  async #takePlace(): Promise<void> {
    if (this.#ended) throw closed();
    if (this.#taken < this.#most) {
      this.#taken += 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      const busy = `all ${this.#most} connections for lists are busy`;
      reject(new StoreError(busy, { hint: 'try again soon' }));
    }, WAIT_MS);
    const waiting: Waiting = { resolve, reject, timer };
    this.#waiting.push(waiting);
    await promise;
  }

  /** Hands the place to who waits longest, so that nobody who comes meanwhile is faster. */
  #leavePlace(): void {
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#taken -= 1;
      return;
    }
    clearTimeout(next.timer);
    next.resolve();
  }

  async #session(): Promise<S> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      clearTimeout(idle.timer);
      if (idle.session.isUsable) return idle.session;
    }
    if (this.#ended) throw closed();
    const session = await this.#connect();
    if (this.#ended) {
      session.destroy();
      throw closed();
    }
    return session;
  }

  #giveBack(session: S): void {
    if (!session.isUsable || this.#ended) {
      session.destroy();
      return;
    }
    const timer = setTimeout(() => {
      const at = this.#idle.findIndex((idle) => idle.session === session);
      if (at >= 0) this.#idle.splice(at, 1);
      session.end();
    }, IDLE_MS).unref();
    this.#idle.push({ session, timer });
  }

  #takeAllIdle(): S[] {
    return this.#idle.splice(0).map(({ session, timer }) => {
      clearTimeout(timer);
      return session;
    });
  }
}

function closed(): StoreError {
  return new StoreError('the store is closed');
}
