import type { MessagePort } from 'node:worker_threads';
import type { ListQuery, Page } from '../../../records/list.ts';
import { freeBytes, type Rows } from '../../../records/rows.ts';
import type { Appended } from '../../store.ts';
import { StoreError } from '../../store-error.ts';
import type { Checkpointed } from '../database/checkpoint.ts';
import {
  type Envelope,
  type Figures,
  fromWire,
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
  slice(query: ListQuery, budgetMs: number, maxBytes: number): Page & { readonly bytes: number };
  probe(): void;
  /** Keeps the file as it is, all that is committed being in it; answers its bytes. */
  freeze(): number;
  /** Whether it has stayed so. */
  thaw(): boolean;
  /** A checkpoint where one is due; when idle, one is due sooner. */
  maintain(idle: boolean): Checkpointed;
  close(): void;
}

type Open = (onNotice: (notice: string) => void) => Promise<ServedDatabase>;

/** How long nothing was appended before idle work begins, and until what failed of it is tried again. */
const IDLE_MS = 1_000;

/** How often figures are told. */
const FIGURES_MS = 500;

/**
 * Serves one database over a port: opens it at the first request, answers one request after the
 * other, and ends at the first failure that leaves the connection in doubt.
 */
export class WorkerService {
  readonly #port: MessagePort;
  readonly #open: Open;
  readonly #end: () => void;
  readonly #idle: NodeJS.Timeout;
  #database: ServedDatabase | undefined;
  #figuresAt = 0;
  /** The last checkpoint failed, or moved a part. */
  #isOwed = false;
  #isFrozen = false;

  /**
   * @param open opens the database and tells what it meets, or throws a {@link StoreError}
   * @param end ends the thread
   */
  constructor(port: MessagePort, open: Open, end: () => void) {
    this.#port = port;
    this.#open = open;
    this.#end = end;
    this.#idle = setTimeout(() => this.#maintain(true), IDLE_MS).unref();
    port.on('message', (envelope: Envelope) => void this.#serve(envelope));
  }

  /** Only opening, which comes first and alone, takes more than one turn of the event loop. */
  async #serve({ id, request }: Envelope): Promise<void> {
    try {
      const result = request.op === 'open' ? await this.#begin() : this.#handle(request);
      this.#succeed(id, result, request.op === 'open');
    } catch (error) {
      this.#fail(id, error, request.op === 'open' || request.op === 'close');
      return;
    }
    // After the reply: the commit is done, and this belongs to none.
    if (request.op === 'append') this.#maintain(false);
    if (request.op === 'close') this.#end();
  }

  async #begin(): Promise<Opened> {
    this.#database ??= await this.#open((notice) =>
      this.#reply({ id: 0, ok: true, result: undefined, notice }),
    );
    this.#idle.refresh();
    return this.#database.opened;
  }

  #handle(request: Exclude<Request, { op: 'open' }>): Results[keyof Results] {
    switch (request.op) {
      case 'append': {
        this.#idle.refresh();
        const bytes = Buffer.from(request.bytes);
        try {
          return this.#ready.append({ bytes, count: request.count });
        } finally {
          freeBytes(bytes);
        }
      }
      case 'slice': {
        const start = performance.now();
        const used = process.threadCpuUsage();
        const { query, budgetMs, maxBytes } = request;
        const { items, next, bytes } = this.#ready.slice(fromWire(query), budgetMs, maxBytes);
        const { user, system } = process.threadCpuUsage(used);
        const tookMs = performance.now() - start;
        return { page: { items, next }, bytes, tookMs, processorMs: (user + system) / 1_000 };
      }
      case 'probe':
        this.#ready.probe();
        return undefined;
      case 'freeze': {
        const bytes = this.#ready.freeze();
        this.#isFrozen = true;
        this.#idle.refresh();
        return bytes;
      }
      case 'thaw':
        this.#isFrozen = false;
        // What was left undone meanwhile is due now, even if nothing is appended any more.
        this.#idle.refresh();
        return this.#ready.thaw();
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

  #maintain(idle: boolean): void {
    try {
      const outcome = this.#database?.maintain(idle);
      // Too soon after a failure none is due, and yet one is owed.
      if (outcome !== 'not_due') {
        this.#isOwed = outcome === 'failed' || outcome === 'incomplete';
        if (this.#isFrozen) this.#reply({ id: 0, ok: true, result: undefined, freezeEnded: true });
      }
      if (!idle) return;
      this.#tellFigures(performance.now());
      // There may be no append any more to ask for it, nor one to find that the volume has got too full.
      if (this.#isOwed || this.#isFrozen) this.#idle.refresh();
    } catch (error) {
      this.#fail(0, error);
    }
  }

  #succeed(id: number, result: Results[keyof Results] | undefined, figuresDue: boolean): void {
    this.#reply({ id, ok: true, result });
    const now = performance.now();
    if (figuresDue || now - this.#figuresAt >= FIGURES_MS) this.#tellFigures(now);
  }

  /** Sends figures as news: they cost calls to the disk, for which no answer should wait or fail. */
  #tellFigures(now: number): void {
    const database = this.#database;
    if (database === undefined) return;
    this.#figuresAt = now;
    try {
      this.#reply({ id: 0, ok: true, result: undefined, figures: database.figures });
    } catch {
      // Those of the last time stay; what fails here fails louder at the next write.
    }
  }

  /** @param fatal whatever failed, there is no database now */
  #fail(id: number, thrown: unknown, fatal = false): void {
    const error = toPlain(thrown);
    const ends = fatal || error.inDoubt;
    this.#reply({ id, ok: false, error, fatal: ends });
    if (ends) this.#end();
  }

  #reply(reply: Reply): void {
    this.#port.postMessage(reply);
  }
}
