import type { Connection } from '../engine/connection.ts';

/** A row as texts, in the order of the columns asked for. */
export type TextRow = readonly (string | null)[];

/**
 * Runs a query that is asked once and answers few rows.
 *
 * @param width number of columns to read
 */
export function readRows(
  connection: Connection,
  sql: string,
  width: number,
  parameters: readonly string[] = [],
): TextRow[] {
  const statement = connection.prepare(sql);
  try {
    parameters.forEach((value, i) => {
      statement.bindText(i + 1, value);
    });
    const rows: TextRow[] = [];
    while (statement.step()) {
      rows.push(
        Array.from({ length: width }, (_, i) => (statement.isNull(i) ? null : statement.text(i))),
      );
    }
    return rows;
  } finally {
    statement.finalize();
  }
}

/** The first column of the first row of a query, as text. */
export function readValue(connection: Connection, sql: string, ...parameters: string[]) {
  return readRows(connection, sql, 1, parameters)[0]?.[0] ?? null;
}
