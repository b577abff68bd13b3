import type { Connection, Statement } from '../engine/connection.ts';
import { readValue } from './read-rows.ts';

/**
 * Bytes of pages in the WAL after which a checkpoint is due. The pages that every commit changes are
 * written to the database once a checkpoint, so half of it costs a tenth more CPU a row; more of it
 * makes one checkpoint, some 20 ms on a fast disk, longer.
 */
const DUE_BYTES = 32 * 1_024 * 1_024;

/** After a failed checkpoint the next attempt waits: on a full disk it would fail at each commit. */
const RETRY_MS = 1_000;

/** What a call of {@link Checkpointer.run} did. */
export type Checkpointed = 'not_due' | 'done' | 'incomplete' | 'failed';

interface WalState {
  /** Frames in the WAL since it last began anew. */
  readonly frames: number;
  /** Of these, frames whose pages are in the database file. */
  readonly moved: number;
}

/**
 * Moves pages from the WAL into the database file. SQLite's automatic checkpoint runs inside a
 * commit and keeps its errors to itself, so it is off, and this one runs between commits, is
 * checked and counted. PASSIVE under load: once all frames are moved the next commit starts the WAL
 * over, which bounds its size (https://sqlite.org/wal.html#ckpt). TRUNCATE at rest.
 */
export class Checkpointer {
  readonly #connection: Connection;
  readonly #now: () => number;
  readonly #look: Statement;
  /** Frames of {@link DUE_BYTES}: one holds a page, of 4 KiB in our files, of up to 64 in others'. */
  readonly #dueFrames: number;
  #retryAt = 0;
  /** Frames that wait to be moved, as of the last look. */
  pendingFrames = 0;
  completed = 0;
  failed = 0;
  /** Why the last one failed, if SQLite said so. */
  failure: unknown;

  /**
   * @param now milliseconds of a clock that nobody sets: one that goes back an hour would keep the
   *   next attempt away for as long, and the WAL growing
   */
  constructor(connection: Connection, now: () => number) {
    this.#connection = connection;
    this.#now = now;
    // NOOP tells the state without moving anything.
    this.#look = connection.prepare('PRAGMA wal_checkpoint(NOOP)');
    this.#dueFrames = DUE_BYTES / Number(readValue(connection, 'PRAGMA page_size'));
  }

  /**
   * Runs a checkpoint when one is due.
   *
   * @param idle nothing else waits, so any pending frame is reason enough, and the WAL is emptied: of
   *   one whose pages are all in the database, and which gets damaged then, the next opening would
   *   write the older half over them
   */
  run(idle: boolean): Checkpointed {
    return idle ? this.#runPast(1, 'TRUNCATE') : this.#runPast(this.#dueFrames);
  }

  /**
   * Bounds the WAL after a commit. Does nothing as long as {@link run} is called in time; else that
   * commit pays for the checkpoint.
   */
  backstop(): Checkpointed {
    return this.#runPast(2 * this.#dueFrames);
  }

  /** Moves everything and empties the WAL file, for a clean end. */
  truncate(): Checkpointed {
    return this.#checkpoint('TRUNCATE');
  }

  #runPast(frames: number, mode: 'PASSIVE' | 'TRUNCATE' = 'PASSIVE'): Checkpointed {
    if (this.#now() < this.#retryAt) return 'not_due';
    try {
      const state = read(this.#look);
      this.pendingFrames = state.frames - state.moved;
      const isEmptying = mode === 'TRUNCATE' && state.frames > 0;
      if (this.pendingFrames === 0 && !isEmptying) return 'not_due';
      if (state.frames < frames) return 'not_due';
    } catch (error) {
      return this.#failed('failed', error);
    }
    return this.#checkpoint(mode);
  }

  #checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): Checkpointed {
    this.failure = undefined;
    try {
      const statement = this.#connection.prepare(`PRAGMA wal_checkpoint(${mode})`);
      try {
        const { frames, moved } = read(statement);
        this.pendingFrames = frames - moved;
      } finally {
        statement.finalize();
      }
    } catch (error) {
      return this.#failed('failed', error);
    }
    if (this.pendingFrames > 0) return this.#failed('incomplete', undefined);
    this.completed += 1;
    return 'done';
  }

  #failed(outcome: 'incomplete' | 'failed', error: unknown): Checkpointed {
    this.failure = error;
    this.failed += 1;
    this.#retryAt = this.#now() + RETRY_MS;
    return outcome;
  }
}

/** Columns: busy, frames, moved; -1 where there is no WAL. */
function read(statement: Statement): WalState {
  try {
    statement.step();
    return {
      frames: Math.max(0, statement.double(1)),
      moved: Math.max(0, statement.double(2)),
    };
  } finally {
    statement.reset();
  }
}
