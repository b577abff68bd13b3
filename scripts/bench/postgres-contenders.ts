/** What the Postgres store is compared to: a loop over a statement that pg encodes, and COPY. */

import type { Client, Connection, Submittable } from 'pg';
import { newEventId } from '../../sidecar/src/records/event-id.ts';
import type { Kind } from '../../sidecar/src/records/kinds.ts';
import { type Rows, RowWriter, type ValidRecord } from '../../sidecar/src/records/rows.ts';
import type { Store } from '../../sidecar/src/stores/store.ts';

/** Records of one kind, validated. */
export interface Batch {
  readonly kind: Kind;
  readonly records: readonly ValidRecord[];
}

/** One way to insert batches. */
export interface Contender {
  readonly name: string;
  /** Puts batches in the form in which they reach it; not measured. Answers the loop to measure. */
  prepare(batches: readonly Batch[]): () => Promise<void>;
}

/** The same records under event ids that nobody has used. */
export function renewed(batches: readonly Batch[]): Batch[] {
  return batches.map(({ kind, records }) => ({
    kind,
    records: records.map((record) => ({ ...record, event_id: newEventId() })),
  }));
}

/** The store, given rows as the recorder hands them over. */
export function throughStore(store: Store): Contender {
  return {
    name: 'store',
    prepare(batches) {
      const prepared = batches.map(rowsOf);
      return async () => {
        for (const rows of prepared) await store.append(rows);
      };
    },
  };
}

export function rowsOf({ kind, records }: Batch): Rows {
  const writer = new RowWriter();
  for (const record of records) writer.add(kind, record);
  return writer.take();
}

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
export function copyLoop(client: Client): Contender {
  return {
    name: 'COPY',
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
