import { KINDS } from '../../../records/kinds.ts';
import { ROW_HEADER_BYTES, type Rows } from '../../../records/rows.ts';
import type { Appended } from '../../store.ts';
import type { Connection, Statement } from '../engine/connection.ts';
import { insertSql, lookUpSql } from './ddl.ts';
import { IgnoredRowError } from './ignored-row.ts';
import { prepare } from './prepare.ts';
import { explainFull } from './used-up-ids.ts';

/** How to insert a row of one kind. */
interface Insert {
  readonly table: string;
  readonly statement: Statement;
  /** Answers a row where an event_id is stored. */
  readonly lookUp: Statement;
  /** Place of event_id among the columns. */
  readonly key: number;
  /** Whether each column is a number, in the order of the columns; the others are texts. */
  readonly isNumber: readonly boolean[];
}

/**
 * Inserts rows in one transaction. Texts are bound where they lie in the copied buffer, so a row
 * costs no allocation.
 */
export class Appender {
  readonly #connection: Connection;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #inserts: readonly Insert[];

  /** @throws DatabaseError when something in the schema is in the way */
  constructor(connection: Connection) {
    this.#connection = connection;
    this.#begin = connection.prepare('BEGIN IMMEDIATE');
    this.#commit = connection.prepare('COMMIT');
    this.#inserts = KINDS.map((kind) => ({
      table: kind.table,
      statement: prepare(connection, insertSql(kind), `write to ${kind.table}`),
      lookUp: prepare(connection, lookUpSql(kind), `read ${kind.table}`),
      key: kind.columns.findIndex((column) => column.type === 'event_id'),
      isNumber: kind.columns.map((column) => column.type === 'number'),
    }));
  }

  /**
   * Stores the rows, or none of them. When it returns they are on the disk.
   *
   * @throws what the connection throws, or {@link IgnoredRowError}, after rolling back
   */
  append(rows: Rows): Appended {
    this.#begin.run();
    try {
      const duplicates = this.#insert(rows);
      this.#commit.run();
      return { duplicates };
    } catch (error) {
      this.rollback();
      throw explainFull(this.#connection, 'append', error);
    }
  }

  /** Inserts the rows and takes them back: what would refuse a record, refuses these. */
  rehearse(rows: Rows): void {
    this.#begin.run();
    try {
      this.#insert(rows);
    } catch (error) {
      this.rollback();
      throw explainFull(this.#connection, 'write', error);
    }
    this.rollback();
  }

  /**
   * Ends the transaction, if there is one: after some errors SQLite has rolled back already
   * (https://sqlite.org/lang_transaction.html), and then says there is none.
   */
  rollback(): void {
    try {
      this.#connection.exec('ROLLBACK');
    } catch {
      // The error that led here says more; a connection in doubt is not used again.
    }
  }

  #insert(rows: Rows): number[] {
    const { bytes } = rows;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const heap = this.#connection.load(bytes);
    const duplicates: number[] = [];
    let at = 0;
    for (let row = 0; row < rows.count; row++) {
      const insert = this.#inserts[view.getUint8(at + 4)];
      if (insert === undefined) throw new RangeError('row of an unknown kind');
      const { statement, isNumber, key } = insert;
      at += ROW_HEADER_BYTES;
      let keyAt = at;
      for (let column = 0; column < isNumber.length; column++) {
        if (isNumber[column] === true) {
          statement.bindDouble(column + 1, view.getFloat64(at, true));
          at += 8;
        } else {
          const length = view.getUint32(at, true);
          if (column === key) keyAt = at;
          statement.bindHeapText(column + 1, heap + at + 4, length);
          at += 4 + length;
        }
      }
      statement.run();
      if (this.#connection.changes() > 0) continue;
      // "Stored already" acknowledges the record, so it has to be true.
      if (!isStored(insert, heap + keyAt + 4, view.getUint32(keyAt, true))) {
        throw new IgnoredRowError(insert.table);
      }
      duplicates.push(row);
    }
    return duplicates;
  }
}

function isStored({ lookUp }: Insert, address: number, bytes: number): boolean {
  lookUp.bindHeapText(1, address, bytes);
  try {
    return lookUp.step();
  } finally {
    lookUp.reset();
  }
}
