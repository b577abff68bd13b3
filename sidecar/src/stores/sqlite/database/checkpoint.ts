import type { Connection, Statement } from '../engine/connection.ts';
import type { Space } from '../files/file-layer.ts';
import { readValue } from './read-rows.ts';
import { FRAME_HEADER_BYTES } from './wal-format.ts';

/**
 * Bytes of pages in the WAL after which a checkpoint is due. The pages that every commit changes are
 * written to the database once a checkpoint, so half of it costs a tenth more CPU a row; more of it
 * makes one checkpoint, some 20 ms on a fast disk, longer.
 */
export const DUE_BYTES = 32 * 1_024 * 1_024;

/**
 * One is due as well when the volume has less left than so many times the WAL. What the WAL holds may
 * need as much again in the database, so later it could not be moved any more, and a full volume would
 * stay down with much of it a WAL.
 */
const ROOM = 2;

/** The volume is asked for its space each time that the WAL has grown by so much. */
const ASK_BYTES = 1_024 * 1_024;

/** Or by this share of what was left of it, if that is less. */
const ASK_SHARE = 1 / 8;

/**
 * Bytes of pages in the WAL up to which a frozen file stays as it is. The checkpoint that follows is so
 * much longer, some 200 ms on a fast disk, and the next opening after a crash has as much to read.
 */
export const FROZEN_BYTES = 8 * DUE_BYTES;

/** After a failed checkpoint the next attempt waits: on a full disk it would fail at each commit. */
const RETRY_MS = 1_000;

/** What a call of {@link Checkpointer.run} did. */
export type Checkpointed = 'not_due' | 'done' | 'incomplete' | 'failed';

type Mode = 'PASSIVE' | 'TRUNCATE';

/** Called around each checkpoint. */
export interface Around {
  /** Throws where none may be made. */
  before(): void;
  after(): void;
}

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
 * over, which bounds its size (https://sqlite.org/wal.html#ckpt). TRUNCATE at rest, and where the
 * volume needs the room.
 */
export class Checkpointer {
  readonly #connection: Connection;
  readonly #now: () => number;
  readonly #space: () => Space;
  readonly #around: Around;
  readonly #look: Statement;
  /** One holds a page, of 4 KiB in our files, of up to 64 in others'. */
  readonly #frameBytes: number;
  readonly #pageBytes: number;
  /** Frames that the file of the WAL has room for: it keeps its size when the WAL begins anew. */
  #fileFrames = 0;
  /** Frames of the WAL when the volume was last asked, and how many more until it is asked again. */
  #askedFrames = 0;
  #askAgainFrames = 0;
  #retryAt = 0;
  #isFrozen = false;
  /** Frames that wait to be moved, as of the last look. */
  pendingFrames = 0;
  completed = 0;
  failed = 0;
  /** Why the last one failed, if SQLite said so. */
  failure: unknown;

  /**
   * @param now milliseconds of a clock that nobody sets: one that goes back an hour would keep the
   *   next attempt away for as long, and the WAL growing
   * @param space of the volume; what it throws does not matter
   */
  constructor(connection: Connection, now: () => number, space: () => Space, around: Around) {
    this.#connection = connection;
    this.#now = now;
    this.#space = space;
    this.#around = around;
    // NOOP tells the state without moving anything.
    this.#look = connection.prepare('PRAGMA wal_checkpoint(NOOP)');
    this.#pageBytes = Number(readValue(connection, 'PRAGMA page_size'));
    this.#frameBytes = FRAME_HEADER_BYTES + this.#pageBytes;
  }

  /**
   * Runs a checkpoint when one is due.
   *
   * @param idle nothing else waits, so any pending frame is reason enough, and the WAL is emptied: of
   *   one whose pages are all in the database, and which gets damaged then, the next opening would
   *   write the older half over them
   */
  run(idle: boolean): Checkpointed {
    const empties = idle && !this.#isFrozen;
    // Of a frozen one that grows no more others may take the room: no growth asks for it then.
    if (idle) this.#askAgainFrames = 0;
    return this.#runPast(empties ? 1 : this.#dueFrames, (frames) =>
      empties || this.#isTight(frames) ? 'TRUNCATE' : 'PASSIVE',
    );
  }

  /**
   * Bounds the WAL after a commit. Does nothing as long as {@link run} is called in time; else that
   * commit pays for the checkpoint.
   */
  backstop(): Checkpointed {
    return this.#runPast(2 * this.#dueFrames, () => 'PASSIVE');
  }

  /** Moves everything and empties the WAL file, for a clean end. */
  truncate(): Checkpointed {
    return this.#checkpoint('TRUNCATE');
  }

  /**
   * Keeps the database file as it is from here on: no checkpoint is due until the WAL holds
   * {@link FROZEN_BYTES}, or the volume needs the room. Any checkpoint ends it.
   */
  freeze(): void {
    this.#isFrozen = true;
  }

  /** @returns whether the file is still as it was at {@link freeze} */
  thaw(): boolean {
    const wasFrozen = this.#isFrozen;
    this.#isFrozen = false;
    return wasFrozen;
  }

  /** Frames after which a checkpoint is due. */
  get #dueFrames(): number {
    return (this.#isFrozen ? FROZEN_BYTES : DUE_BYTES) / this.#pageBytes;
  }

  /** @param choose the mode, for so many frames: to empty the WAL, any of them is enough */
  #runPast(dueFrames: number, choose: (frames: number) => Mode): Checkpointed {
    if (this.#now() < this.#retryAt) return 'not_due';
    let mode: Mode;
    try {
      const { frames, moved } = read(this.#look);
      this.pendingFrames = frames - moved;
      this.#fileFrames = Math.max(this.#fileFrames, frames);
      if (frames === 0) return 'not_due';
      mode = choose(frames);
      if (mode === 'PASSIVE' && (this.pendingFrames === 0 || frames < dueFrames)) return 'not_due';
    } catch (error) {
      return this.#failed('failed', error);
    }
    return this.#checkpoint(mode);
  }

  /** Whether the volume has too little left beside the WAL; false where that cannot be told. */
  #isTight(frames: number): boolean {
    // Fewer than there were: it has begun anew.
    const grown = frames < this.#askedFrames ? frames : frames - this.#askedFrames;
    if (grown < this.#askAgainFrames) return false;
    this.#askedFrames = frames;
    this.#askAgainFrames = ASK_BYTES / this.#frameBytes;
    try {
      const { freeBytes, totalBytes } = this.#space();
      // Some network file systems tell no sizes.
      if (totalBytes === 0) return false;
      const share = (freeBytes * ASK_SHARE) / this.#frameBytes;
      this.#askAgainFrames = Math.min(this.#askAgainFrames, share);
      return freeBytes < ROOM * this.#fileFrames * this.#frameBytes;
    } catch {
      return false;
    }
  }

  /** @throws what {@link Around.before} throws */
  #checkpoint(mode: Mode): Checkpointed {
    this.failure = undefined;
    this.#around.before();
    this.#isFrozen = false;
    try {
      const statement = this.#connection.prepare(`PRAGMA wal_checkpoint(${mode})`);
      try {
        const { frames, moved } = read(statement);
        this.pendingFrames = frames - moved;
      } finally {
        statement.finalize();
        this.#around.after();
      }
    } catch (error) {
      return this.#failed('failed', error);
    }
    if (this.pendingFrames > 0) return this.#failed('incomplete', undefined);
    if (mode === 'TRUNCATE') this.#fileFrames = 0;
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
