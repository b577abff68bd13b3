import { AUDIT_EVENT, type Column } from '../../../sidecar/src/records/kinds.ts';
import type { Step } from '../../../sidecar/src/stores/server/migrations.ts';

/** As a later version of the sidecar may add them. */
const ADDED: readonly Column[] = [
  {
    name: 'trace',
    type: 'text',
    maxBytes: 1_024,
    required: false,
    filter: true,
    indexed: true,
    about: 'Trace of the request.',
    example: '4bf92f35',
  },
  { name: 'seconds', type: 'number', about: 'How long it took.', example: 1.5 },
];

/** The step of the schema that comes with them. */
export const ADDING: Step<unknown> = { version: 2, minWriter: 1 };

/** While the work goes on, this build is that later version. */
export async function withNewColumns<T>(work: () => Promise<T>): Promise<T> {
  const columns = AUDIT_EVENT.columns as Column[];
  columns.push(...ADDED);
  try {
    return await work();
  } finally {
    columns.splice(-ADDED.length);
  }
}
