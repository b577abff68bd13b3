/** One figure that the project has promised, as measured. */
export interface Figure {
  readonly title: string;
  readonly value: number;
  readonly unit: '' | 'ms' | 'MB';
  readonly bound: { readonly least: number } | { readonly most: number };
  /** False where the bound holds only under a condition that was not met; see the facts. */
  readonly applies?: boolean;
}

/** What one benchmark measured. */
export interface Outcome {
  readonly figures: readonly Figure[];
  /** How it was measured, in a sentence or two. */
  readonly how: string;
  /** What lies behind the figures: label and value. */
  readonly facts: readonly (readonly [string, string])[];
}

/** What a benchmark needs to know. */
export interface Setting {
  /** An empty directory on the disk to measure; removed afterwards. */
  readonly directory: string;
  readonly sidecar: string;
  readonly bare: string;
  /** Runs in seconds, with figures that mean nothing. */
  readonly quick: boolean;
  note(progress: string): void;
}

export function isMet({ value, bound, applies = true }: Figure): boolean {
  if (!applies) return true;
  return 'least' in bound ? value >= bound.least : value <= bound.most;
}
