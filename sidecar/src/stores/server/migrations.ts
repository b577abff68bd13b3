/**
 * Which schema a server's database has, and who may write it. Several sidecars of several versions
 * share one database while an upgrade rolls, so steps only add, and `agenttier_meta` says which
 * writers may go on.
 */

import { StoreError } from '../store-error.ts';

export const META_TABLE = 'agenttier_meta';

/** What the database says about itself, in agenttier_meta. */
export interface Meta {
  /** Number of the last step that ran; 0 for a database that has never seen a sidecar. */
  readonly schemaVersion: number;
  /** Oldest schema version whose sidecar may still write. */
  readonly minWriterVersion: number;
  /** Version of the sidecar that ran the last step. */
  readonly writtenBy: string | undefined;
}

/** One change of the schema. */
export interface Step<Context> {
  /** Counts from 1 without a gap. */
  readonly version: number;
  /** Oldest schema version whose sidecar may still write after this step. */
  readonly minWriter: number;
  /**
   * Changes data; tables and columns that are missing are made before, from the kinds. Idempotent,
   * since a step may have been cut short.
   */
  run?(context: Context): Promise<void>;
}

export const NEVER_MIGRATED: Meta = {
  schemaVersion: 0,
  minWriterVersion: 0,
  writtenBy: undefined,
};

const KEYS = {
  schemaVersion: 'schema_version',
  minWriterVersion: 'min_writer_version',
  writtenBy: 'written_by',
} as const;

/** The row that is locked while a step runs. */
export const LOCKED_KEY = KEYS.schemaVersion;
/** The row that nothing depends on. */
export const WRITTEN_BY_KEY = KEYS.writtenBy;

/** @throws {StoreError} when a version is not a whole number */
export function readMeta(rows: Iterable<readonly [key: string, value: string | null]>): Meta {
  const values = new Map(rows);
  return {
    schemaVersion: version(values, KEYS.schemaVersion),
    minWriterVersion: version(values, KEYS.minWriterVersion),
    writtenBy: values.get(KEYS.writtenBy) ?? undefined,
  };
}

/** The rows of agenttier_meta that say this. */
export function metaRows(meta: Meta): (readonly [key: string, value: string])[] {
  return [
    [KEYS.schemaVersion, String(meta.schemaVersion)],
    [KEYS.minWriterVersion, String(meta.minWriterVersion)],
    [KEYS.writtenBy, meta.writtenBy ?? 'unknown'],
  ];
}

/** What the database says once all steps ran; versions never go back. */
export function metaAfter(meta: Meta, steps: readonly Step<never>[], writtenBy: string): Meta {
  const last = steps.at(-1);
  return {
    schemaVersion: Math.max(meta.schemaVersion, last?.version ?? 0),
    minWriterVersion: Math.max(meta.minWriterVersion, last?.minWriter ?? 0),
    writtenBy,
  };
}

/** The steps that this database lacks, in order. */
export function dueSteps<Context>(
  meta: Meta,
  steps: readonly Step<Context>[],
): readonly Step<Context>[] {
  return steps.filter((step) => step.version > meta.schemaVersion);
}

/**
 * Whether columns of ours may be missing, because they are about to be added. Where no step is due,
 * or none of ours ever ran, a table without them is not ours, or somebody took them away.
 */
export function mayLackColumns(meta: Meta, steps: readonly Step<never>[]): boolean {
  return meta.schemaVersion > 0 && dueSteps(meta, steps).length > 0;
}

/**
 * Refuses a database that this build must not write, before anything is written. One that is newer
 * and still admits this build is fine: steps only add.
 *
 * @throws {StoreError} naming the version to run
 */
export function refuseOldWriter(meta: Meta, steps: readonly Step<never>[]): void {
  const known = steps.at(-1)?.version ?? 0;
  if (meta.minWriterVersion <= known) return;
  const by = meta.writtenBy ?? 'unknown';
  throw new StoreError(
    `this database was migrated by version ${by} of the sidecar and asks for schema ` +
      `${meta.minWriterVersion} or newer; this one knows schema ${known}`,
    { hint: `run version ${meta.writtenBy ?? 'that migrated it'} or newer` },
  );
}

function version(values: ReadonlyMap<string, string | null>, key: string): number {
  const text = values.get(key) ?? '0';
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new StoreError(`${key} in ${META_TABLE} is not a whole number`, {
    hint: 'restore that row from a backup',
  });
}
