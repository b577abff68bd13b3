import { isUtf8 } from 'node:buffer';
import type { Kind } from '../../records/kinds.ts';
import { type Rows, RowWriter } from '../../records/rows.ts';
import { MAX_LISTED_REJECTIONS, MAX_RECORDS } from './limits.ts';
import { readRecord } from './record-reader.ts';
import type { ValueScan } from './value-scan.ts';

export interface Rejection {
  /** Place of the record in the request, from 0; blank lines of NDJSON do not count. */
  readonly index: number;
  readonly problem: string;
}

/** What one request's records came to. */
export interface Taken {
  readonly rows: Rows;
  /** Index in the request of each row, where a caller asked to be told the fate of each. */
  readonly indexes: readonly number[] | undefined;
  readonly rejectedCount: number;
  /** The first of them. */
  readonly rejected: readonly Rejection[];
}

/** Collects a request's records, the valid ones as rows, the others as problems. */
export class Intake {
  readonly #kind: Kind;
  readonly #writer: RowWriter;
  readonly #indexes: number[] | undefined;
  readonly #rejected: Rejection[] = [];
  #rejectedCount = 0;
  #count = 0;

  /**
   * @param track whether to remember the index of each row
   * @param writer an empty one, which this intake may use until it is taken
   */
  constructor(kind: Kind, track: boolean, writer = new RowWriter()) {
    this.#kind = kind;
    this.#writer = writer;
    this.#indexes = track ? [] : undefined;
  }

  /** Bytes of the rows so far: a record of few words makes a row of several times its length. */
  get rowBytes(): number {
    return this.#writer.bytes;
  }

  /** Whether one more record would be too many. */
  get full(): boolean {
    return this.#count >= MAX_RECORDS;
  }

  /**
   * Reads the next record from well-formed UTF-8.
   *
   * @returns its problem, if it has one
   */
  add(bytes: Buffer, start: number, end: number, scan: ValueScan): string | undefined {
    const record = readRecord(this.#kind, bytes, start, end, scan);
    if (typeof record === 'string') {
      this.reject(record);
      return record;
    }
    this.#writer.add(this.#kind, record);
    this.#indexes?.push(this.#count);
    this.#count += 1;
    return undefined;
  }

  /** Counts the next record as rejected. */
  reject(problem: string): void {
    if (this.#rejected.length < MAX_LISTED_REJECTIONS) {
      this.#rejected.push({ index: this.#count, problem });
    }
    this.#rejectedCount += 1;
    this.#count += 1;
  }

  /** Hands everything out; to be called once. */
  take(): Taken {
    return {
      rows: this.#writer.take(),
      indexes: this.#indexes,
      rejectedCount: this.#rejectedCount,
      rejected: this.#rejected,
    };
  }
}

/** What makes a text unfit before it is even decoded, if anything does. */
export function encodingProblem(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    return 'begins with a byte order mark; send plain UTF-8';
  }
  return isUtf8(bytes) ? undefined : 'is not well-formed UTF-8';
}
