/**
 * SQLite reported an INSERT as done that stored nothing, though the event_id is new: a trigger with
 * RAISE(IGNORE), or a constraint with ON CONFLICT IGNORE. Neither is ours.
 */
export class IgnoredRowError extends Error {
  override readonly name = 'IgnoredRowError';

  constructor(table: string) {
    super(`a trigger or constraint of ${table} that another program added ignores the row`);
  }
}
