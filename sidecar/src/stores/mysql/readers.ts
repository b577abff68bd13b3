import { StoreError } from '../store-error.ts';
import type { Session } from './session.ts';

/** Most connections for lists; the server is somebody else's. */
const MOST = 4;
/** How long a list waits for a connection. */
const ACQUIRE_MS = 5_000;
/** After so long without a list a connection is given back to the server. */
const IDLE_MS = 60_000;

interface Idle {
  readonly session: Session;
  readonly timer: NodeJS.Timeout;
}

/** A few connections for lists, made when they are needed. */
export class Readers {
  readonly #connect: () => Promise<Session>;
  readonly #idle: Idle[] = [];
  readonly #busy = new Set<Session>();
  readonly #waiting: (() => void)[] = [];
  #taken = 0;
  #ended = false;

  /** @param connect answers a session that is ready for use */
  constructor(connect: () => Promise<Session>) {
    this.#connect = connect;
  }

  /** Connections that are open. */
  get count(): number {
    return this.#idle.length + this.#busy.size;
  }

  /**
   * Lends a connection; it is kept unless it broke.
   *
   * @throws {StoreError} when none becomes free in time, and what `connect` and `use` throw
   */
  async use<T>(use: (session: Session) => Promise<T>): Promise<T> {
    await this.#acquire();
    try {
      const session = this.#takeIdle() ?? (await this.#connect());
      this.#busy.add(session);
      try {
        return await use(session);
      } finally {
        this.#busy.delete(session);
        this.#giveBack(session);
      }
    } finally {
      this.#taken -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** Cuts all connections, those in use too. */
  end(): void {
    this.#ended = true;
    this.drop();
  }

  /** Cuts all connections, so that the next lists connect anew. */
  drop(): void {
    for (const { session, timer } of this.#idle.splice(0)) {
      clearTimeout(timer);
      session.destroy();
    }
    for (const session of this.#busy) session.destroy();
  }

  async #acquire(): Promise<void> {
    const deadline = performance.now() + ACQUIRE_MS;
    while (this.#taken >= MOST) await this.#turn(deadline - performance.now());
    if (this.#ended) throw new StoreError('the store is closed');
    this.#taken += 1;
  }

  #turn(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        reject(new StoreError(`all ${MOST} connections for lists are busy`));
      }, ms);
      this.#waiting.push(go);
    });
  }

  #takeIdle(): Session | undefined {
    for (;;) {
      const idle = this.#idle.pop();
      if (idle === undefined) return undefined;
      clearTimeout(idle.timer);
      if (idle.session.isUsable) return idle.session;
    }
  }

  #giveBack(session: Session): void {
    if (!session.isUsable || this.#ended) {
      session.destroy();
      return;
    }
    const timer = setTimeout(() => {
      const at = this.#idle.findIndex((idle) => idle.session === session);
      if (at >= 0) this.#idle.splice(at, 1);
      void session.end();
    }, IDLE_MS).unref();
    this.#idle.push({ session, timer });
  }
}
