import { newEventId } from '../records/event-id.ts';
import { KINDS } from '../records/kinds.ts';
import { type Rows, RowWriter } from '../records/rows.ts';
import { formatTime } from '../records/time.ts';

/**
 * Creates one row of each kind with nothing special about it, for a write that is taken back.
 *
 * @param nowMs milliseconds since the epoch
 */
export function trialRows(nowMs: number): Rows {
  const writer = new RowWriter();
  for (const kind of KINDS) {
    const record: Record<string, string | number> = {};
    for (const column of kind.columns) {
      if (column.type === 'number') record[column.name] = 0;
      else if (column.type === 'time') record[column.name] = formatTime(nowMs);
      else record[column.name] = column.type === 'event_id' ? newEventId() : 'trial';
    }
    writer.add(kind, record);
  }
  return writer.take();
}
