import { StoreError, type StoreErrorOptions } from '../../store-error.ts';

export interface DatabaseErrorOptions extends StoreErrorOptions {
  readonly corrupt?: boolean;
}

/**
 * A failure of the database layer. A `transient` one leaves the connection in doubt: end it and
 * open anew. After a `data` one the transaction is rolled back and the connection as good as
 * before.
 */
export class DatabaseError extends StoreError {
  /**
   * SQLite met damage in the file. The next opening must check it in full, since opening alone
   * reads no more than header and schema.
   */
  readonly corrupt: boolean;

  constructor(message: string, options: DatabaseErrorOptions = {}) {
    super(message, options);
    this.corrupt = options.corrupt ?? false;
  }
}
