/** Ways to insert the same batches into a database server, which take turns. */

import * as v from 'valibot';
import { newEventId } from '../../../sidecar/src/records/event-id.ts';
import type { Kind } from '../../../sidecar/src/records/kinds.ts';
import { type Rows, RowWriter, type ValidRecord } from '../../../sidecar/src/records/rows.ts';
import { SCHEMAS } from '../../../sidecar/src/records/schema.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';
import { batches } from '../bodies.ts';
import { median } from '../statistics.ts';
import type { Sizes } from './sizes.ts';

/** Records of a batch. */
export const SIZE = 1_000;
/** Sandboxes of the simulation that the records come from. */
const SANDBOXES = 200;

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

/** Rows a second of each contender by its name, round by round. */
export type Rates = ReadonlyMap<string, readonly number[]>;

export interface ContestOptions extends Pick<Sizes, 'rounds' | 'warmup' | 'count'> {
  /** Empties the tables, before each turn. */
  clear(): Promise<unknown>;
  note(progress: string): void;
}

/** Measures the contenders in turns. */
export async function contest(
  contenders: readonly Contender[],
  { rounds, warmup, count, clear, note }: ContestOptions,
): Promise<Rates> {
  const records = validBatches(warmup + count);
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    // Nobody is always first, or always behind the same one.
    const order = round % 2 === 0 ? contenders.toReversed() : contenders;
    for (const contender of order) {
      await clear();
      const fresh = renewed(records);
      await contender.prepare(fresh.slice(0, warmup))();
      const run = contender.prepare(fresh.slice(warmup));
      const started = performance.now();
      await run();
      const seconds = (performance.now() - started) / 1_000;
      rates.get(contender.name)?.push((count * SIZE) / seconds);
    }
    const told = [...rates].map(([name, all]) => `${name} ${all.at(-1)?.toFixed(0)}`);
    note(`round ${round}, rows/s: ${told.join(', ')}`);
  }
  return rates;
}

/** The store, given rows as the recorder hands them over. */
export function throughStore(name: string, store: Store): Contender {
  return {
    name,
    prepare(batches) {
      const prepared = batches.map(rowsOf);
      return async () => {
        for (const rows of prepared) await store.append(rows);
      };
    },
  };
}

/** The rates of one contender to those of another, round by round. */
export function ratios(rates: Rates, one: string, other: string): number[] {
  const others = rates.get(other) ?? [];
  return (rates.get(one) ?? []).map((rate, i) => rate / (others[i] ?? Number.NaN));
}

/** Each contender's rate, for the facts of an outcome. */
export function rateFacts(rates: Rates): (readonly [string, string])[] {
  return [...rates].map(([name, all]) => [`${name}, rows a second`, median(all).toFixed(0)]);
}

/** The least, the middle and the most of some ratios. */
export function spread(values: readonly number[]): string {
  return [Math.min(...values), median(values), Math.max(...values)]
    .map((value) => value.toFixed(2))
    .join(', ');
}

/** Validated beforehand: only the store and the database are measured. */
function validBatches(count: number): Batch[] {
  const found: Batch[] = [];
  for (const { kind, records } of batches(SIZE, SANDBOXES)) {
    const schema = SCHEMAS[kind.index];
    if (schema === undefined) throw new Error(`${kind.name} has no schema`);
    found.push({ kind, records: records.map((fields) => v.parse(schema, { ...fields })) });
    if (found.length === count) break;
  }
  return found;
}

/** The same records under event ids that nobody has used. */
function renewed(batches: readonly Batch[]): Batch[] {
  return batches.map(({ kind, records }) => ({
    kind,
    records: records.map((record) => ({ ...record, event_id: newEventId() })),
  }));
}

function rowsOf({ kind, records }: Batch): Rows {
  const writer = new RowWriter();
  for (const record of records) writer.add(kind, record);
  return writer.take();
}
