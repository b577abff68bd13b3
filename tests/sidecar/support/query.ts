import type { Connection } from '../../../sidecar/src/stores/sqlite/engine/connection.ts';

/** All rows of a query, each value as text, NULL as null. */
export function query(connection: Connection, sql: string, columns = 1): (string | null)[][] {
  const statement = connection.prepare(sql);
  const rows: (string | null)[][] = [];
  while (statement.step()) {
    rows.push(
      Array.from({ length: columns }, (_, i) => (statement.isNull(i) ? null : statement.text(i))),
    );
  }
  statement.finalize();
  return rows;
}

/** The first value of a query's first row. */
export function value(connection: Connection, sql: string): string | null {
  return query(connection, sql)[0]?.[0] ?? null;
}
