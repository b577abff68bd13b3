import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ListQuery, Page } from '../../records/list.ts';
import type { Rows } from '../../records/rows.ts';
import { Fold } from '../../telemetry/fold.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Appended, Backup, Gauge, Store } from '../store.ts';
import { StoreError } from '../store-error.ts';
import { prepareDatabasePath } from './database-path.ts';
import { FileBackup } from './file-backup.ts';
import { LockFile } from './lock/lock-file.ts';
import { LockHeldError } from './lock/lock-held-error.ts';
import { BEAT_MS } from './lock/lock-verdict.ts';
import { SharedState } from './lock/shared-state.ts';
import { readPage, SLICE_MS } from './read-page.ts';
import { Surroundings } from './surroundings.ts';
import { Turns } from './turns.ts';
import { Volume } from './volume.ts';
import { NO_FIGURES, type Opened, toWire } from './worker/protocol.ts';
import { WorkerHandle } from './worker/worker-handle.ts';

export interface SqliteStoreOptions {
  /** As configured: may be relative, or a symbolic link. */
  readonly path: string;
  readonly cacheBytes: number;
  /** Of this build. */
  readonly version: string;
  readonly log: Log;
  /** The worker's bundle, where it does not lie beside this one. */
  readonly workerUrl?: URL;
}

/** How many notices /readyz repeats. */
const MAX_NOTICES = 10;

/** How long `open` waits for the end of the worker before; then the next attempt does. */
const RETIRE_MS = 5_000;

/**
 * How long `close` tries to bring everything into the one file after a failure, and how often. A
 * volume that is full stays so, and the next start does it as well.
 */
const CLOSE_FOR_MS = 5_000;
const CLOSE_AGAIN_MS = 500;

/** How long the end of `close` waits for a look at what is left. */
const LOOK_MS = 200;

/** Creates the store that keeps records in a SQLite file. Nothing is touched before `open`. */
export function sqliteStore(options: SqliteStoreOptions): Store {
  return new SqliteStore(options);
}

/** What belongs to one path on the disk; symbolic links may lead elsewhere at the next opening. */
interface Place {
  readonly path: string;
  readonly lock: LockFile;
  readonly volume: Volume;
}

/**
 * The SQLite store on the HTTP thread. It never touches the disk by a call that blocks, and has one
 * worker at a time:
 *
 * - closed: no lock, no worker. `open` finds the path, takes the lock, starts a worker.
 * - open: the worker answers, the lock is renewed once a second.
 * - failed: the worker met a failure, or lost its lock or its file, and is ending or has ended; the
 *   lock is kept. `open` waits for its exit and starts another: never two on one file.
 * - ended: after `close`, for good. A failed worker is replaced once more for that, if one has written
 *   to the file: what is in the WAL alone would else be missing from whatever is copied then.
 */
class SqliteStore implements Store {
  readonly driver = 'sqlite';
  readonly #options: SqliteStoreOptions;
  readonly #log: Log;
  readonly #shared = new SharedState();
  readonly #turns = new Turns();
  readonly #surroundings = new Surroundings();
  readonly #fold = new Fold();
  readonly #workerUrl: URL;
  #place: Place | undefined;
  #worker: WorkerHandle | undefined;
  #opened: Opened | undefined;
  #opening: { readonly since: number; readonly done: Promise<void> } | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #looking = false;
  #workersStarted = 0;
  #volumeWasLow = false;
  #wasHung = false;
  #checkInFull = false;
  #ended = false;
  /** A worker had the file open and did not close it in order. */
  #isUnclosed = false;
  /** What workers found amiss and dealt with, the last of it: it stays true until the process ends. */
  #notices: readonly string[] = [];
  /** Checkpoints that failed in workers that have ended. */
  #formerCheckpointFailures = 0;

  constructor(options: SqliteStoreOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#workerUrl = options.workerUrl ?? new URL('./sqlite-worker.mjs', import.meta.url);
  }

  async open(): Promise<void> {
    if (this.#isOpen) return;
    this.#opening ??= { since: performance.now(), done: this.#openAnew() };
    try {
      await this.#opening.done;
    } finally {
      this.#opening = undefined;
    }
  }

  async append(rows: Rows): Promise<Appended> {
    const { bytes, count } = rows;
    // Node's pooled buffers share their memory with others and cannot move.
    const owns = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
    const buffer = owns ? bytes.buffer : new Uint8Array(bytes).buffer;
    return this.#ready.request({ op: 'append', bytes: buffer, count }, [buffer]);
  }

  async list(query: ListQuery, signal?: AbortSignal): Promise<Page> {
    return readPage(query, (part, maxBytes) =>
      this.#turns.take(async () => {
        if (signal?.aborted === true) throw new StoreError('nobody waits for this list any more');
        const worker = this.#moving;
        const wire = toWire(part);
        return worker.request({ op: 'slice', query: wire, budgetMs: SLICE_MS, maxBytes });
      }),
    );
  }

  async backup(signal: AbortSignal): Promise<Backup> {
    const worker = this.#moving;
    if (this.#place === undefined || this.#opened === undefined) throw notOpen();
    return FileBackup.begin(worker, this.#place.path, this.#opened.file, signal);
  }

  async probe(): Promise<void> {
    await this.#ready.request({ op: 'probe' });
  }

  complaint(): string | undefined {
    const hung = this.#worker?.hungSeconds();
    if (hung !== undefined) return `worker hung for ${hung} s`;
    if (this.#ended) return undefined;
    const failure = this.#worker?.failure;
    if (failure !== undefined) return failure.reason;
    if (this.#opening === undefined || this.#worker !== undefined) return undefined;
    const seconds = Math.round((performance.now() - this.#opening.since) / 1_000);
    return seconds < 5 ? undefined : `opening ${this.#options.path} hung for ${seconds} s`;
  }

  warnings(): readonly string[] {
    const low = this.#place?.volume.warning;
    return low === undefined ? this.#notices : [...this.#notices, low];
  }

  gauges(): readonly Gauge[] {
    const figures = this.#worker?.figures ?? NO_FIGURES;
    const free = this.#place?.volume.freeBytes;
    return [
      {
        name: 'database_bytes',
        help: 'Size of the database file.',
        value: figures.databaseBytes,
      },
      {
        name: 'wal_bytes',
        help: 'Size of the write-ahead log beside it.',
        value: figures.walBytes,
      },
      ...(free === undefined
        ? []
        : [
            {
              name: 'volume_free_bytes',
              help: 'Bytes that may still be written to the volume of the database.',
              value: free,
            },
          ]),
      {
        name: 'worker_restarts_total',
        type: 'counter',
        help: 'Workers started after the first.',
        value: Math.max(0, this.#workersStarted - 1),
      },
      {
        name: 'checkpoint_failures_total',
        type: 'counter',
        help: 'Checkpoints of the write-ahead log that failed or stayed incomplete.',
        value: this.#formerCheckpointFailures + figures.checkpointFailures,
      },
    ];
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#ended = true;
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const late = aborted.then(() => new StoreError('the grace is over'));
    const failure = await Promise.race([this.#closeInOrder(signal), late]);
    // With the beat the worker's leave to write ends too, within seconds, if it still lives.
    clearInterval(this.#ticker);
    this.#ticker = undefined;
    if (this.#worker?.hasExited === false) {
      this.#worker.end(new StoreError('the store was closed before the worker answered'));
    }
    if (failure === undefined || !this.#isUnclosed) return;
    // A volume that hangs does not tell.
    const unknown = sleep(LOOK_MS, false, { ref: false });
    if (this.#mayCloseYet && (await Promise.race([this.#isWalEmpty(), unknown]))) return;
    throw this.#unclosed(failure);
  }

  /** @param toClose the store has ended, and only the end of the file is due */
  async #openAnew(toClose = false): Promise<void> {
    if (!toClose) this.#refuseIfEnded();
    await this.#retireWorker();
    const place = await this.#findPlace();
    const former = await place.lock.acquire();
    if (former !== undefined) {
      // Under a name of its own: the line has a time already.
      const { host, pid, time: last_beat } = former;
      this.#log.warn({ lock: place.lock.path, host, pid, last_beat }, 'took over a stale lock');
    }
    if (!toClose) this.#refuseIfEnded();
    this.#ticker ??= setInterval(() => this.#tick(), BEAT_MS).unref();
    await this.#startWorker(place.path);
  }

  /** @returns why that failed */
  async #closeInOrder(signal: AbortSignal): Promise<StoreError | undefined> {
    await this.#opening?.done.catch(() => {});
    const until = performance.now() + CLOSE_FOR_MS;
    let failure = await this.#closeOnce();
    while (failure !== undefined && this.#mayCloseYet && performance.now() < until) {
      await sleep(CLOSE_AGAIN_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) break;
      failure = await this.#closeOnce();
    }
    await this.#worker?.exited;
    await this.#place?.lock.release();
    if (failure !== undefined && !this.#isUnclosed) {
      this.#log.error({ reason: failure.reason }, 'the database is closed, but not in order');
    }
    return failure;
  }

  async #closeOnce(): Promise<StoreError | undefined> {
    try {
      if (this.#worker?.failure !== undefined) {
        if (!this.#isUnclosed) return undefined;
        await this.#openAnew(true);
      }
      await this.#worker?.request({ op: 'close' });
      this.#isUnclosed = false;
      return undefined;
    } catch (error) {
      // Then what is in the file is that sidecar's to keep.
      if (error instanceof LockHeldError) this.#isUnclosed = false;
      if (this.#mayCloseYet && (await this.#isWalEmpty())) this.#isUnclosed = false;
      return error instanceof StoreError ? error : new StoreError('unexpected', { cause: error });
    }
  }

  async #isWalEmpty(): Promise<boolean> {
    if (this.#place === undefined) return false;
    try {
      return (await stat(`${this.#place.path}-wal`)).size === 0;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT';
    }
  }

  /** A worker had the file open, has not closed it, and has not lost for good what was to be closed. */
  get #mayCloseYet(): boolean {
    return this.#isUnclosed && this.#worker?.hasLost !== true;
  }

  #unclosed({ reason }: StoreError): StoreError {
    const file = basename(this.#place?.path ?? this.#options.path);
    if (this.#worker?.hasLost === true) {
      return new StoreError(`${file} was not closed in order: ${reason}`, {
        hint: `${file}-wal was deleted, and what it held is lost: restore a backup if ${file} is damaged`,
      });
    }
    return new StoreError(`${file} was not closed in order: ${reason}`, {
      hint: `${file}-wal beside it may hold records that it does not: keep both together, in a copy too; the next start makes one of them`,
    });
  }

  get #isOpen(): boolean {
    return this.#opened !== undefined && this.#worker?.failure === undefined && !this.#ended;
  }

  get #ready(): WorkerHandle {
    this.#refuseIfEnded();
    const worker = this.#worker;
    if (worker === undefined) throw notOpen();
    if (worker.failure !== undefined) throw worker.failure;
    if (this.#opened === undefined) throw new StoreError('the database is being opened');
    return worker;
  }

  /** For what changes nothing, and so need not wait for a worker that hangs. */
  get #moving(): WorkerHandle {
    const worker = this.#ready;
    const hung = worker.hungSeconds();
    if (hung !== undefined) throw new StoreError(`worker hung for ${hung} s`);
    return worker;
  }

  #refuseIfEnded(): void {
    if (this.#ended) throw new StoreError('the store is closed');
  }

  /** Waits for the end of the worker before: two engines on one file would destroy it. */
  async #retireWorker(): Promise<void> {
    const worker = this.#worker;
    this.#opened = undefined;
    if (worker === undefined) return;
    worker.end(new StoreError('the worker was replaced'));
    await Promise.race([worker.exited, sleep(RETIRE_MS, undefined, { ref: false })]);
    if (!worker.hasExited) {
      throw new StoreError('the worker before has not ended, a call to the disk hangs', {
        hint: 'check the volume; no second worker may open the file meanwhile',
      });
    }
    this.#checkInFull ||= worker.metCorruption;
    this.#formerCheckpointFailures += worker.figures.checkpointFailures;
    this.#worker = undefined;
  }

  async #findPlace(): Promise<Place> {
    const path = await prepareDatabasePath(this.#options.path);
    if (this.#place?.path === path) return this.#place;
    await this.#place?.lock.release();
    this.#shared.walOwner.file = undefined;
    this.#place = {
      path,
      lock: new LockFile(path, this.#shared),
      volume: new Volume(dirname(path)),
    };
    return this.#place;
  }

  async #startWorker(path: string): Promise<void> {
    const { cacheBytes, version } = this.#options;
    const checkInFull = this.#checkInFull;
    const shared = this.#shared.buffer;
    const data = { path, cacheBytes, version, shared, checkInFull };
    const onNotice = (notice: string) => this.#notice(path, notice);
    const worker = new WorkerHandle(this.#workerUrl, data, this.#shared, onNotice);
    this.#worker = worker;
    this.#workersStarted += 1;
    this.#opened = await worker.request({ op: 'open' });
    this.#isUnclosed = true;
    this.#checkInFull = false;
    const { migrated } = this.#opened;
    if (migrated !== undefined) {
      const { from, to, timesRewritten: times_rewritten } = migrated;
      this.#log.info({ path, from, to, times_rewritten }, 'migrated the database');
    }
    // One that opens and takes no writes is opened again and again.
    this.#fold.tell('open', (repeated) =>
      this.#log.info({ path, worker: this.#workersStarted, repeated }, 'database is open'),
    );
  }

  #notice(path: string, notice: string): void {
    // An opening that is tried again meets the same again.
    if (this.#notices.includes(notice)) return;
    this.#notices = [...this.#notices, notice].slice(-MAX_NOTICES);
    this.#log.warn({ path }, notice);
  }

  /** Once a second. The lock must be renewed whatever becomes of the looks at file and volume. */
  #tick(): void {
    this.#watchWorker();
    const place = this.#place;
    if (place === undefined) return;
    void this.#beat(place);
    void this.#look(place);
  }

  async #beat({ lock }: Place): Promise<void> {
    const worker = this.#worker;
    const lost = await lock.beat();
    // A beat that comes late is of a lock that another worker does not write under.
    if (lost !== undefined && worker === this.#worker) this.#endWorker(new StoreError(lost));
  }

  /** A look that hangs keeps the next from starting, so that none pile up. */
  async #look({ path, volume }: Place): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.#watchFile(path);
      await volume.refresh();
      this.#watchVolume(volume);
    } finally {
      this.#looking = false;
    }
  }

  #watchWorker(): void {
    const hung = this.#worker?.hungSeconds();
    if (hung !== undefined) {
      this.#worker?.giveUpLists(new StoreError(`worker hung for ${hung} s`));
    }
    if ((hung !== undefined) === this.#wasHung) return;
    this.#wasHung = hung !== undefined;
    if (this.#wasHung) this.#log.error({ hung_seconds: hung }, 'the SQLite worker hangs');
    else this.#log.info('the SQLite worker moves again');
  }

  async #watchFile(path: string): Promise<void> {
    const opened = this.#opened;
    if (opened === undefined) return;
    const isAmiss = await this.#surroundings.look(path, opened);
    // The worker still has what is gone, saves what it can, says what is wrong, and ends.
    if (isAmiss && opened === this.#opened) await this.probe().catch(() => {});
  }

  #watchVolume(volume: Volume): void {
    const { warning } = volume;
    const low = warning !== undefined;
    if (low && !this.#volumeWasLow) this.#log.warn(warning);
    this.#volumeWasLow = low;
  }

  #endWorker(reason: StoreError): void {
    const worker = this.#worker;
    if (worker === undefined || worker.hasExited || worker.failure !== undefined) return;
    this.#log.error({ reason: reason.reason }, 'ending the SQLite worker');
    worker.end(reason);
  }
}

function notOpen(): StoreError {
  return new StoreError('the database is not open');
}
