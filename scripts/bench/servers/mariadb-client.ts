/** What the MariaDB store is compared to: mysql2 as it is, and a loop over one statement. */

import { type Connection, createConnection } from 'mysql2';
import { insertSql } from '../../../sidecar/src/stores/mysql/ddl.ts';
import type { Contender } from './contest.ts';

type Row = readonly (string | number | null)[];

/** One connection by TCP, as the store's is. */
export class RawClient {
  readonly #connection: Connection;

  constructor(port: number, database: string) {
    this.#connection = createConnection({
      host: '127.0.0.1',
      port,
      user: 'root',
      database,
      charset: 'UTF8MB4_BIN',
      supportBigNumbers: true,
      bigNumberStrings: true,
    });
    this.#connection.on('error', () => {}); // Each statement tells its own.
  }

  /** Runs a prepared statement; answers its rows. */
  execute(sql: string, values: (string | number)[] = []): Promise<readonly Row[]> {
    return new Promise((resolve, reject) => {
      this.#connection.execute({ sql, rowsAsArray: true, values }, (error, rows) => {
        if (error === null) resolve(Array.isArray(rows) ? (rows as unknown as Row[]) : []);
        else reject(error);
      });
    });
  }

  end(): void {
    this.#connection.destroy();
  }
}

/** One INSERT of many rows a batch, its values given to mysql2 as JavaScript's. */
export function insertLoop(name: string, client: RawClient): Contender {
  return {
    name,
    prepare(batches) {
      const prepared = batches.map(({ kind, records }) => ({
        sql: insertSql(kind, records.length),
        values: records.flatMap((record) =>
          kind.columns.map((column) => {
            const value = record[column.name];
            if (value === undefined) throw new Error(`a record has no ${column.name}`);
            return value;
          }),
        ),
      }));
      return async () => {
        for (const { sql, values } of prepared) await client.execute(sql, values);
      };
    },
  };
}
