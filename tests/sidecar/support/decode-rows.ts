import { KINDS, type Kind } from '../../../sidecar/src/records/kinds.ts';
import { ROW_HEADER_BYTES, type Rows } from '../../../sidecar/src/records/rows.ts';

/** One row, read back. */
export interface DecodedRow {
  readonly kind: Kind;
  /** In the order of the kind's columns. */
  readonly values: readonly (string | number)[];
}

/** Reads rows back. */
export function* decodeRows(rows: Rows): Generator<DecodedRow> {
  const { bytes } = rows;
  let at = 0;
  for (let i = 0; i < rows.count; i++) {
    const kind = KINDS[bytes[at + 4] ?? -1];
    if (kind === undefined) throw new RangeError('row of an unknown kind');
    const end = at + bytes.readUInt32LE(at);
    at += ROW_HEADER_BYTES;
    const values: (string | number)[] = [];
    for (const column of kind.columns) {
      if (column.type === 'number') {
        values.push(bytes.readDoubleLE(at));
        at += 8;
      } else {
        const length = bytes.readUInt32LE(at);
        values.push(bytes.toString('utf8', at + 4, at + 4 + length));
        at += 4 + length;
      }
    }
    if (at !== end) throw new RangeError('row does not fill its length');
    yield { kind, values };
  }
}
