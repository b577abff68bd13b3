/**
 * A batch in one transaction: a few statements of many rows, in a handful of shapes, so that each
 * is prepared once a session.
 */

import { KINDS, type Kind } from '../../records/kinds.ts';
import { ROW_HEADER_BYTES, type Rows, rowOffsets } from '../../records/rows.ts';
import type { Appended } from '../store.ts';
import { StoreError } from '../store-error.ts';
import { insertSql, knownIdsSql, storedSql } from './ddl.ts';
import { LAST_ID_HINT } from './errors.ts';
import { forceFlush } from './force-flush.ts';
import type { Session, Value } from './session.ts';

/** Rows of one statement. 1,000 rows of 8 columns are far from the 65,535 parameters there may be. */
const SHAPES = [1_000, 300, 100, 30, 10, 3, 1];
/** Of the protocol: type, length, a bit for NULL, a question mark in the text; rounded up. */
const PARAMETER_BYTES = 16;
const STATEMENT_BYTES = 1_024;

/** A row of the batch, its values still in the batch's buffer. */
interface Entry {
  /** In the batch. */
  readonly index: number;
  readonly start: number;
  /** About what it takes in a statement. */
  readonly bytes: number;
}

interface Batch {
  readonly buffer: Buffer;
  /** By the kind's index. */
  readonly entries: readonly (readonly Entry[])[];
}

type Duplicates = number[];

/**
 * Stores the rows, or none of them. When it resolves they are committed.
 *
 * The statement of many rows says how many were new, not which. Where it is not all, the batch is
 * done again by the exact way, which first asks which ids are known.
 *
 * @param packetBytes largest statement that the server takes
 * @throws the driver's error, or a StoreError when a row was neither inserted nor stored already; a
 * transaction may then be open
 */
export async function appendRows(
  session: Session,
  rows: Rows,
  packetBytes: number,
): Promise<Appended> {
  const batch = byKind(rows);
  for (const insert of [insertAll, insertUnknown, insertEach]) {
    await session.run('START TRANSACTION');
    const duplicates = await insert(session, batch, packetBytes);
    if (duplicates !== undefined) {
      // A commit that inserted something flushes all that was committed before it.
      if (duplicates.length === rows.count) await forceFlush(session);
      await session.run('COMMIT');
      return { duplicates: duplicates.sort((a, b) => a - b) };
    }
    await session.run('ROLLBACK');
  }
  throw new RangeError('the last way counts exactly');
}

/**
 * Inserts the rows, whose ids must be new, and takes them back.
 *
 * @throws as {@link appendRows} does, and a StoreError when the server calls a new row a duplicate
 */
export async function rehearseRows(session: Session, rows: Rows): Promise<void> {
  await session.run('START TRANSACTION');
  const duplicates = await insertEach(session, byKind(rows));
  if (duplicates.length > 0) {
    throw new StoreError('the server says of a new row that it was stored already');
  }
  // Asks for a right of its own, which must not be found missing when it is needed.
  await forceFlush(session);
  await session.run('ROLLBACK');
}

/** @returns undefined when some row was a duplicate */
async function insertAll(
  session: Session,
  { buffer, entries }: Batch,
  packetBytes: number,
): Promise<Duplicates | undefined> {
  for (const kind of KINDS) {
    for (const chunk of chunksOf(entries[kind.index] ?? [], packetBytes)) {
      if ((await insertChunk(session, kind, buffer, chunk)) < chunk.length) return undefined;
    }
  }
  return [];
}

/** @returns undefined when somebody else stored one of the rows at the same moment */
async function insertUnknown(
  session: Session,
  { buffer, entries }: Batch,
  packetBytes: number,
): Promise<Duplicates | undefined> {
  const duplicates: Duplicates = [];
  for (const kind of KINDS) {
    const fresh: Entry[] = [];
    const seen = new Set<string>();
    for (const chunk of chunksOf(entries[kind.index] ?? [], packetBytes)) {
      const ids = chunk.map((entry) => eventIdOf(kind, buffer, entry));
      const known = await session.execute(knownIdsSql(kind, ids.length), ids);
      for (const [id] of known.rows) seen.add(String(id));
      chunk.forEach((entry, i) => {
        const id = ids[i] ?? '';
        if (seen.has(id)) duplicates.push(entry.index);
        else fresh.push(entry);
        seen.add(id);
      });
    }
    for (const chunk of chunksOf(fresh, packetBytes)) {
      if ((await insertChunk(session, kind, buffer, chunk)) < chunk.length) return undefined;
    }
  }
  return duplicates;
}

/** A statement a row: slow, and right whatever others do meanwhile. */
async function insertEach(session: Session, { buffer, entries }: Batch): Promise<Duplicates> {
  const duplicates: Duplicates = [];
  for (const kind of KINDS) {
    for (const entry of entries[kind.index] ?? []) {
      if ((await insertChunk(session, kind, buffer, [entry])) > 0) continue;
      // "Stored already" acknowledges the record, so it has to be true.
      const id = eventIdOf(kind, buffer, entry);
      const stored = await session.execute(storedSql(kind), [id]);
      if (!stored.rows.some(([found]) => found === id)) throw swallowedRow(kind);
      duplicates.push(entry.index);
    }
  }
  return duplicates;
}

/** ON DUPLICATE KEY takes what any unique index refuses for a duplicate, the primary key's too. */
function swallowedRow({ table }: Kind): StoreError {
  return new StoreError(`${table} swallows a row whose event_id is new`, {
    hint: `drop what makes anything but event_id unique in ${table}; or, ${LAST_ID_HINT}`,
  });
}

/** @returns how many rows were new */
async function insertChunk(
  session: Session,
  kind: Kind,
  buffer: Buffer,
  chunk: readonly Entry[],
): Promise<number> {
  const values: Value[] = [];
  for (const entry of chunk) pushValues(values, kind, buffer, entry);
  return (await session.execute(insertSql(kind, chunk.length), values)).affected;
}

/** Cuts rows into statements: of the largest shape that the rest fills and that fits a packet. */
function* chunksOf<T extends { readonly bytes: number }>(
  entries: readonly T[],
  packetBytes: number,
): Generator<readonly T[]> {
  for (let at = 0; at < entries.length; ) {
    let fitting = 0;
    let bytes = STATEMENT_BYTES;
    for (; fitting < (SHAPES[0] ?? 1) && at + fitting < entries.length; fitting++) {
      bytes += entries[at + fitting]?.bytes ?? 0;
      if (bytes > packetBytes) break;
    }
    const size = SHAPES.find((shape) => shape <= fitting) ?? 1;
    yield entries.slice(at, at + size);
    at += size;
  }
}

function byKind(rows: Rows): Batch {
  const offsets = rowOffsets(rows);
  const entries: Entry[][] = KINDS.map(() => []);
  for (let index = 0; index < rows.count; index++) {
    const start = offsets[index] ?? 0;
    const end = offsets[index + 1] ?? start;
    const kind = KINDS[rows.bytes[start + 4] ?? -1];
    if (kind === undefined) throw new RangeError('row of an unknown kind');
    const bytes = end - start + kind.columns.length * PARAMETER_BYTES;
    entries[kind.index]?.push({ index, start, bytes });
  }
  return { buffer: rows.bytes, entries };
}

/**
 * Texts are bound as strings, not as the bytes that they are: of a Buffer the driver says that it holds
 * no text, and the server puts it as it is into a column of any character set. A text it converts, or
 * refuses where the column cannot hold it.
 */
function pushValues(values: Value[], kind: Kind, buffer: Buffer, { start }: Entry): void {
  let at = start + ROW_HEADER_BYTES;
  for (const column of kind.columns) {
    if (column.type === 'number') {
      values.push(buffer.readDoubleLE(at));
      at += 8;
    } else {
      const length = buffer.readUInt32LE(at);
      values.push(buffer.toString('utf8', at + 4, at + 4 + length));
      at += 4 + length;
    }
  }
}

function eventIdOf(kind: Kind, buffer: Buffer, entry: Entry): string {
  const values: Value[] = [];
  pushValues(values, kind, buffer, entry);
  return String(values[kind.columns.findIndex(({ type }) => type === 'event_id')]);
}
