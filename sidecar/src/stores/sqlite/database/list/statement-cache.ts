import type { Connection, Statement } from '../../engine/connection.ts';

/**
 * Prepared statements by their text. Lists come in few shapes, so most are found here; the bound
 * keeps a caller with ever new numbers of filter values from filling the heap.
 */
export class StatementCache {
  readonly #connection: Connection;
  readonly #capacity: number;
  readonly #statements = new Map<string, Statement>();

  constructor(connection: Connection, capacity: number) {
    this.#connection = connection;
    this.#capacity = capacity;
  }

  /** The statement, reset; the caller resets it again at once after its last step. */
  get(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) {
      // A Map keeps the order of insertion: the first one is the least recently used.
      this.#statements.delete(sql);
      this.#statements.set(sql, known);
      return known;
    }
    const statement = this.#connection.prepare(sql);
    this.#statements.set(sql, statement);
    if (this.#statements.size > this.#capacity) {
      const [oldest] = this.#statements;
      if (oldest !== undefined) {
        this.#statements.delete(oldest[0]);
        oldest[1].finalize();
      }
    }
    return statement;
  }
}
