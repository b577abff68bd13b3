import type { MessagePort } from 'node:worker_threads';
import type { ListQuery, Page } from '../../records/list.ts';
import type { Rows } from '../../records/rows.ts';
import type { Appended } from '../store.ts';
import { StoreError } from '../store-error.ts';
import {
  type Envelope,
  type Figures,
  fromWire,
  NO_FIGURES,
  type Opened,
  type Reply,
  type Request,
  type Results,
  toPlain,
} from './protocol.ts';

/** What the worker does to a database. All of it is synchronous. */
export interface ServedDatabase {
  readonly opened: Opened;
  readonly figures: Figures;
  append(rows: Rows): Appended;
  /** Answers what it finds within a budget of milliseconds. */
  slice(query: ListQuery, budgetMs: number): Page;
  probe(): void;
  /** Work for idle moments, bounded: a checkpoint when one is worth it. */
  maintain(): void;
  close(): void;
}

/** How long nothing was appended before idle work begins. */
const IDLE_MS = 1_000;

/**
 * Serves one database over a port: opens it at the first request, answers one request after the
 * other, and ends at the first failure that leaves the connection in doubt. Only a `data` error is
 * not one: its transaction was rolled back.
 */
export class WorkerService {
  readonly #port: MessagePort;
  readonly #open: () => ServedDatabase;
  readonly #end: () => void;
  readonly #idle: NodeJS.Timeout;
  #database: ServedDatabase | undefined;

  /**
   * @param open opens the database, or throws a {@link StoreError}
   * @param end ends the thread
   */
  constructor(port: MessagePort, open: () => ServedDatabase, end: () => void) {
    this.#port = port;
    this.#open = open;
    this.#end = end;
    this.#idle = setTimeout(() => this.#maintain(), IDLE_MS).unref();
    port.on('message', (envelope: Envelope) => this.#serve(envelope));
  }

  #serve({ id, request }: Envelope): void {
    try {
      const result = this.#handle(request);
      this.#reply({ id, ok: true, result, figures: this.#database?.figures ?? NO_FIGURES });
    } catch (error) {
      this.#fail(id, error);
      return;
    }
    if (request.op === 'close') this.#end();
  }

  #handle(request: Request): Results[keyof Results] {
    switch (request.op) {
      case 'open':
        this.#database ??= this.#open();
        this.#idle.refresh();
        return this.#database.opened;
      case 'append': {
        this.#idle.refresh();
        return this.#ready.append({ bytes: Buffer.from(request.bytes), count: request.count });
      }
      case 'slice': {
        const start = performance.now();
        const page = this.#ready.slice(fromWire(request.query), request.budgetMs);
        return { page, tookMs: performance.now() - start };
      }
      case 'probe':
        this.#ready.probe();
        return undefined;
      case 'close': {
        const database = this.#database;
        this.#database = undefined;
        database?.close();
        return undefined;
      }
    }
  }

  get #ready(): ServedDatabase {
    if (this.#database === undefined) throw new StoreError('the database is not open');
    return this.#database;
  }

  #maintain(): void {
    const database = this.#database;
    if (database === undefined) return;
    try {
      database.maintain();
      this.#reply({ id: 0, ok: true, result: undefined, figures: database.figures });
    } catch (error) {
      this.#fail(0, error);
    }
  }

  #fail(id: number, thrown: unknown): void {
    const error = toPlain(thrown);
    const fatal = error.class !== 'data';
    this.#reply({ id, ok: false, error, fatal });
    if (fatal) this.#end();
  }

  #reply(reply: Reply): void {
    this.#port.postMessage(reply);
  }
}
