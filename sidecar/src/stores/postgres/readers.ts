import type { ServerDsn } from '../../config/server-dsn.ts';
import { StoreError } from '../store-error.ts';
import { Session } from './session.ts';

/** Connections for lists; the writer has its own, so that no list is ever in its way. */
const MAX_READERS = 3;
/** How long a list waits for one of them. */
const WAIT_MS = 5_000;
/** One that was not used for so long is given back to the server. */
const IDLE_MS = 60_000;

interface Idle {
  readonly session: Session;
  readonly timer: NodeJS.Timeout;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

/** A few connections for lists, made when they are needed. */
export class Readers {
  readonly #dsn: () => ServerDsn;
  readonly #idle: Idle[] = [];
  readonly #busy = new Set<Session>();
  readonly #waiting = new Set<Waiting>();
  /** Places taken, those of connections that are being made included. */
  #taken = 0;
  #ended = false;

  /** @param dsn read at each connection */
  constructor(dsn: () => ServerDsn) {
    this.#dsn = dsn;
  }

  /** Connections that are there. */
  get size(): number {
    return this.#idle.length + this.#busy.size;
  }

  /**
   * Runs a piece of work on a connection that is its alone.
   *
   * @throws {StoreError} when none is free in time or the server cannot be reached; else what the
   * work throws
   */
  async use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    await this.#place();
    let session: Session | undefined;
    try {
      session = await this.#session();
      this.#busy.add(session);
      return await work(session);
    } finally {
      this.#taken -= 1;
      if (session !== undefined) this.#giveBack(session);
      const [next] = this.#waiting;
      next?.resolve();
    }
  }

  /** Ends those that are idle, at once those that are not. */
  end(): void {
    this.#ended = true;
    this.dropIdle();
    for (const session of this.#busy) session.destroy();
    for (const { reject } of this.#waiting) reject(new StoreError('the store is closed'));
  }

  /** Ends those that nobody uses: they may lead to a server that is the primary no longer. */
  dropIdle(): void {
    for (const { session, timer } of this.#idle.splice(0)) {
      clearTimeout(timer);
      session.end();
    }
  }

  async #place(): Promise<void> {
    const deadline = performance.now() + WAIT_MS;
    while (this.#taken >= MAX_READERS) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const waiting: Waiting = { resolve, reject };
      this.#waiting.add(waiting);
      const late = new StoreError('all connections for lists are busy', { hint: 'try again soon' });
      const timer = setTimeout(() => reject(late), deadline - performance.now());
      try {
        await promise;
      } finally {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
      }
    }
    if (this.#ended) throw new StoreError('the store is closed');
    this.#taken += 1;
  }

  async #session(): Promise<Session> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      clearTimeout(idle.timer);
      if (!idle.session.isLost) return idle.session;
    }
    const session = await Session.connect(this.#dsn());
    if (this.#ended) {
      session.destroy();
      throw new StoreError('the store is closed');
    }
    return session;
  }

  #giveBack(session: Session): void {
    this.#busy.delete(session);
    if (session.isLost) return;
    if (this.#ended) {
      session.end();
      return;
    }
    const timer = setTimeout(() => {
      const at = this.#idle.findIndex((idle) => idle.session === session);
      if (at >= 0) this.#idle.splice(at, 1);
      session.end();
    }, IDLE_MS).unref();
    this.#idle.push({ session, timer });
  }
}
