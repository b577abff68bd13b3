import type { Gauge } from '../store.ts';

/**
 * Creates the figures of a store on a server.
 *
 * @param open connections that are open, of the writer and of lists
 * @param made connections that were ready for use, of the writer and of lists, since the start
 */
export function connectionGauges(open: number, made: number): readonly Gauge[] {
  return [
    { name: 'connections', help: 'Connections to the database that are open.', value: open },
    {
      name: 'connections_made_total',
      type: 'counter',
      help: 'Connections to the database that were made, to write, to list or to migrate.',
      value: made,
    },
  ];
}
