import type { Connection } from '../../../sidecar/src/stores/sqlite/engine/connection.ts';
import {
  type OpenConnectionOptions,
  openConnection,
} from '../../../sidecar/src/stores/sqlite/engine/engine.ts';
import { nodeFiles } from '../../../sidecar/src/stores/sqlite/files/node-files.ts';

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
