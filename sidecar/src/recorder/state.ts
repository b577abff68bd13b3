/** What the recorder's loop is doing; the states and transitions stand at the class. */
export type RecorderState =
  | 'new'
  | 'opening'
  | 'idle'
  | 'gathering'
  | 'probing'
  | 'committing'
  | 'isolating'
  | 'backing_off'
  | 'closed';

const CALLING: ReadonlySet<RecorderState> = new Set([
  'opening',
  'probing',
  'committing',
  'isolating',
]);

/** Whether a call to the store is under way in this state. */
export function isCalling(state: RecorderState): boolean {
  return CALLING.has(state);
}

/** Failed calls to the store since the process's start. */
export interface Failures {
  /** The store said so, and trying again may help. */
  transient: number;
  /** Not a StoreError; taken for transient. */
  unexpected: number;
  /** The database refused a value: one for each attempt that met it. */
  data: number;
}
