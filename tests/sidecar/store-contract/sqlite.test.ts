import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { sqliteStore } from '../../../sidecar/src/stores/sqlite/sqlite-store.ts';
import { BUILT_WORKER } from '../support/sqlite-store.ts';
import { storeContract } from './contract.ts';

storeContract('sqlite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'store-contract-'));
  const options = {
    path: join(directory, 'agenttier.db'),
    cacheBytes: 8 << 20,
    version: '0.0.0-test',
    log: pino({ level: 'silent' }),
    workerUrl: BUILT_WORKER,
  };
  return {
    store: () => sqliteStore(options),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
});
