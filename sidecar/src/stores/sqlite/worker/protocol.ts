/**
 * The messages between the HTTP thread and the SQLite worker: one request in, one reply out, in
 * their order. Errors cross as plain data, since a class does not survive the copy.
 */

import { KINDS } from '../../../records/kinds.ts';
import type { ListQuery, Page } from '../../../records/list.ts';
import type { Appended } from '../../store.ts';
import { StoreError, type StoreErrorClass } from '../../store-error.ts';
import type { Migrated } from '../database/migrations.ts';
import type { VerifyReport } from '../database/verify.ts';
import type { FileIdentity } from '../files/file-identity.ts';

/** What the worker is started with. */
export interface WorkerData {
  /** Absolute, symbolic links resolved. */
  readonly path: string;
  readonly cacheBytes: number;
  /** Of this build; the database remembers who wrote it last. */
  readonly version: string;
  /** See {@link SharedState}. */
  readonly shared: SharedArrayBuffer;
  /** The worker before this one met damage in the file: look at all of it before use. */
  readonly checkInFull: boolean;
}

/** What a worker is started with that only checks a file. */
export interface VerifierData {
  /** Path of the file: absolute, symbolic links resolved. */
  readonly verify: string;
  readonly cacheBytes: number;
  /** See {@link SharedState}. */
  readonly shared: SharedArrayBuffer;
}

export type VerifyReply =
  | { readonly ok: true; readonly report: VerifyReport }
  | { readonly ok: false; readonly error: PlainError };

/** A list query without functions and identities: the kind is its index. */
export type WireQuery = Omit<ListQuery, 'kind'> & { readonly kind: number };

export type Request =
  | { readonly op: 'open' }
  | { readonly op: 'append'; readonly bytes: ArrayBuffer; readonly count: number }
  | {
      readonly op: 'slice';
      readonly query: WireQuery;
      readonly budgetMs: number;
      readonly maxBytes: number;
    }
  | { readonly op: 'probe' }
  | { readonly op: 'freeze' }
  | { readonly op: 'thaw' }
  | { readonly op: 'close' };

export interface Results {
  readonly open: Opened;
  readonly append: Appended;
  readonly slice: Slice;
  readonly probe: undefined;
  /** Bytes of the file. */
  readonly freeze: number;
  /** Whether the file has stayed as it was. */
  readonly thaw: boolean;
  readonly close: undefined;
}

/** The result of a request, by its `op`. */
export type ResultOf<R extends Request> = Results[R['op']];

export interface Opened {
  /** The open file, to notice when another one takes its place. */
  readonly file: FileIdentity;
  /** Its WAL, for the same. */
  readonly wal: FileIdentity | undefined;
  /** What the opening did to the file; undefined when it was up to date. */
  readonly migrated: Migrated | undefined;
}

export interface Slice {
  readonly page: Page;
  /** Of the items' texts. */
  readonly bytes: number;
  /** Milliseconds from its beginning to its end. */
  readonly tookMs: number;
  /** Milliseconds of the processor in them. */
  readonly processorMs: number;
}

/** What the metrics show of the database. */
export interface Figures {
  readonly databaseBytes: number;
  readonly walBytes: number;
  readonly checkpointFailures: number;
}

export const NO_FIGURES: Figures = {
  databaseBytes: 0,
  walBytes: 0,
  checkpointFailures: 0,
};

export interface Envelope {
  readonly id: number;
  readonly request: Request;
}

/**
 * A reply; `id` 0 is news that nobody asked for: figures, a notice, the end of a freeze, or a failure of the
 * idle work.
 */
export type Reply =
  | {
      readonly id: number;
      readonly ok: true;
      readonly result: Results[keyof Results] | undefined;
      readonly figures?: Figures;
      /** What was found amiss and dealt with, for the operator. */
      readonly notice?: string;
      /** The file is frozen no more, though nobody has thawed it. */
      readonly freezeEnded?: true;
    }
  | {
      readonly id: number;
      readonly ok: false;
      readonly error: PlainError;
      /** The worker ends after this reply. */
      readonly fatal: boolean;
    };

export interface PlainError {
  readonly message: string;
  readonly class: StoreErrorClass;
  readonly hint?: string;
  /** SQLite met damage in the file. */
  readonly corrupt: boolean;
  /** The connection is in doubt, and has to be opened anew. */
  readonly inDoubt: boolean;
  /** Committed records are gone with it. */
  readonly lost: boolean;
}

export function toWire(query: ListQuery): WireQuery {
  return { ...query, kind: query.kind.index };
}

/** @throws RangeError for a kind that does not exist */
export function fromWire(query: WireQuery): ListQuery {
  const kind = KINDS[query.kind];
  if (kind === undefined) throw new RangeError('list of an unknown kind');
  return { ...query, kind };
}

export function toPlain(error: unknown): PlainError {
  if (!(error instanceof StoreError)) {
    const code = (error as NodeJS.ErrnoException | undefined)?.code;
    const what = typeof code === 'string' ? `${code}, ${nameAndPlace(error)}` : nameAndPlace(error);
    return {
      message: `SQLite worker: ${what}`,
      class: 'transient',
      corrupt: false,
      inDoubt: true,
      lost: false,
    };
  }
  const corrupt = 'corrupt' in error && error.corrupt === true;
  const inDoubt = !('inDoubt' in error && error.inDoubt === false);
  const lost = 'lost' in error && error.lost === true;
  const plain = { message: error.message, class: error.class, corrupt, inDoubt, lost };
  return error.hint === undefined ? plain : { ...plain, hint: error.hint };
}

export function fromPlain(plain: PlainError): StoreError {
  const { message, hint } = plain;
  return new StoreError(message, { class: plain.class, ...(hint === undefined ? {} : { hint }) });
}

/**
 * What may be told of an error that was not made for readers: its message may hold a record's text.
 *
 * @returns for example `TypeError (sqlite-worker.mjs:812:19)`
 */
export function nameAndPlace(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const place = /^ {4}at .*?([\w.-]+:\d+:\d+)\)?$/m.exec(error.stack ?? '')?.[1];
  return place === undefined ? error.name : `${error.name} (${place})`;
}
