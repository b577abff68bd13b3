import { PostgresServer, SUPERUSER } from './postgres-server.ts';

/** Settings of servers whose commits are to survive. */
export const DURABLE = { fsync: 'on' } as const;

/** A second server that follows the first one, of version 15, as `pg_basebackup -R` makes it. */
export function standbyOf(primary: PostgresServer): Promise<PostgresServer> {
  return PostgresServer.start({
    version: 15,
    settings: DURABLE,
    initialise: (standby) =>
      standby.run('pg_basebackup', [
        ...['-h', '127.0.0.1', '-p', String(primary.port), '-U', SUPERUSER],
        ...['-D', standby.directory, '-R', '-X', 'stream', '-c', 'fast'],
      ]),
  });
}

/**
 * Makes commits wait for a standby from here on. Not before there is one: its copy of the settings
 * must not make it wait for one of its own.
 */
export async function waitForStandbys(primary: PostgresServer): Promise<void> {
  await primary.set({ synchronous_standby_names: '*' });
  await primary.reload();
}

export async function isFollowing(
  primary: PostgresServer,
  state: 'sync' | 'async',
): Promise<boolean> {
  const sql = 'SELECT sync_state FROM pg_stat_replication';
  return (await primary.query(sql)).some(({ sync_state }) => sync_state === state);
}
