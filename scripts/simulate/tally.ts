import { KINDS, type Kind } from '../../sidecar/src/records/kinds.ts';
import type { Outcome } from './poster.ts';

interface Counts {
  sent: number;
  acknowledged: number;
  durable: number;
  duplicates: number;
  refused: number;
}

/** Counts by kind what was sent and what the sidecar said to it. */
export class Tally {
  /** The first problem that the sidecar named, if it refused anything. */
  firstProblem: string | undefined;
  readonly #byKind: readonly Counts[] = KINDS.map(() => zero());

  sent(kind: Kind, count: number): void {
    this.#of(kind).sent += count;
  }

  answered(kind: Kind, outcome: Outcome): void {
    const counts = this.#of(kind);
    counts.acknowledged += outcome.accepted;
    if (outcome.durable) counts.durable += outcome.accepted;
    counts.duplicates += outcome.duplicates;
    counts.refused += outcome.refused;
    this.firstProblem ??= outcome.problem;
  }

  get total(): Readonly<Counts> {
    const total = zero();
    for (const counts of this.#byKind) {
      for (const name of COLUMNS) total[name] += counts[name];
    }
    return total;
  }

  /** A table of the counts by kind, with a line for the total. */
  toString(): string {
    const rows = KINDS.map((kind) => [kind.path, ...cells(this.#of(kind))]);
    const table = [['', ...COLUMNS], ...rows, ['total', ...cells(this.total)]];
    const widths = table[0]!.map((_, column) =>
      Math.max(...table.map((row) => row[column]!.length)),
    );
    return table
      .map((row) =>
        row
          .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
          .join('  '),
      )
      .join('\n');
  }

  #of(kind: Kind): Counts {
    return this.#byKind[kind.index]!;
  }
}

const COLUMNS = ['sent', 'acknowledged', 'durable', 'duplicates', 'refused'] as const;

function zero(): Counts {
  return { sent: 0, acknowledged: 0, durable: 0, duplicates: 0, refused: 0 };
}

function cells(counts: Counts): string[] {
  return COLUMNS.map((name) => counts[name].toLocaleString('en-US'));
}
