/** What the Postgres store is compared to: a loop over a statement that pg encodes, and COPY. */

import type { Client, Connection, Submittable } from 'pg';
import type { Kind } from '../../../sidecar/src/records/kinds.ts';
import type { ValidRecord } from '../../../sidecar/src/records/rows.ts';
import type { Contender } from './contest.ts';

/** One INSERT ... SELECT FROM unnest a batch, its arrays given to pg as JavaScript's. */
export function unnestLoop(name: string, client: Client): Contender {
  return {
    name,
    prepare(batches) {
      const prepared = batches.map(({ kind, records }) => ({
        text: unnestSql(kind),
        values: kind.columns.map((column) => records.map((record) => record[column.name])),
      }));
      return async () => {
        for (const statement of prepared) await client.query(statement);
      };
    },
  };
}

function unnestSql({ table, columns }: Kind): string {
  const names = columns.map(({ name }) => name).join(', ');
  const arrays = columns.map(
    ({ type }, i) => `$${i + 1}::${type === 'number' ? 'float8[]' : 'text[]'}`,
  );
  return `INSERT INTO ${table} (${names}) SELECT * FROM unnest(${arrays.join(', ')}) ON CONFLICT (event_id) DO NOTHING`;
}

/** One COPY a batch, of text that is there already. */
export function copyLoop(name: string, client: Client): Contender {
  return {
    name,
    prepare(batches) {
      const prepared = batches.map(({ kind, records }) => ({
        sql: `COPY ${kind.table} (${kind.columns.map(({ name }) => name).join(', ')}) FROM STDIN`,
        text: Buffer.from(records.map((record) => copyLine(kind, record)).join('')),
      }));
      return async () => {
        for (const { sql, text } of prepared) await copy(client, sql, text);
      };
    },
  };
}

function copyLine({ columns }: Kind, record: ValidRecord): string {
  const values = columns.map(({ name }) =>
    String(record[name] ?? '').replace(/[\\\n\r\t]/g, (char) => COPY_ESCAPES[char] ?? char),
  );
  return `${values.join('\t')}\n`;
}

const COPY_ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** Members of pg 8 that its types leave out. */
interface CopyConnection extends Connection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/** Runs one COPY FROM STDIN; pg has the messages but no call for them. */
function copy(client: Client, sql: string, text: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const statement = {
      submit: (connection: Connection) => connection.query(sql),
      handleCopyInResponse(connection: CopyConnection) {
        connection.sendCopyFromChunk(text);
        connection.endCopyFrom();
      },
      handleCommandComplete() {},
      handleError: reject,
      handleReadyForQuery: () => resolve(),
    };
    client.query(statement as unknown as Submittable);
  });
}
