import { StoreError, type StoreErrorOptions } from '../../store-error.ts';

export interface DatabaseErrorOptions extends StoreErrorOptions {
  readonly corrupt?: boolean;
  readonly inDoubt?: boolean;
  readonly lost?: boolean;
}

/** A failure of the database layer. */
export class DatabaseError extends StoreError {
  /**
   * SQLite met damage in the file. The next opening must check it in full, since opening alone
   * reads no more than header and schema.
   */
  readonly corrupt: boolean;
  /**
   * The connection is in doubt: end it and open anew. It is not after a `data` error, nor where a write found no
   * room: the transaction is rolled back, and the connection as good as before.
   */
  readonly inDoubt: boolean;
  /** Committed records are gone with what failed: nothing that is tried again brings them back. */
  readonly lost: boolean;

  constructor(message: string, options: DatabaseErrorOptions = {}) {
    super(message, options);
    this.corrupt = options.corrupt ?? false;
    this.inDoubt = options.inDoubt ?? this.class !== 'data';
    this.lost = options.lost ?? false;
  }
}
