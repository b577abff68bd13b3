import type { Connection } from '../../../sidecar/src/stores/sqlite/connection.ts';
import {
  type OpenConnectionOptions,
  openConnection,
} from '../../../sidecar/src/stores/sqlite/engine.ts';
import { nodeFiles } from '../../../sidecar/src/stores/sqlite/node-files.ts';

/** A connection with the settings that the store uses. */
export async function openWal(
  options: Pick<OpenConnectionOptions, 'path'> & Partial<OpenConnectionOptions>,
  pragmas = '',
): Promise<Connection> {
  const connection = await openConnection({ files: nodeFiles, ...options });
  try {
    connection.exec(`
      PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
      PRAGMA wal_autocheckpoint=0; ${pragmas}`);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}
