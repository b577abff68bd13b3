/** Entry point of the SQLite worker thread; bundled by itself as `sqlite-worker.mjs`. */

import { workerData } from 'node:worker_threads';
import { nodeFiles } from '../files/node-files.ts';
import type { VerifierData, WorkerData } from './protocol.ts';
import { serveSqlite } from './serve-sqlite.ts';
import { verifySqlite } from './verify-sqlite.ts';

const data = workerData as WorkerData | VerifierData;
if ('verify' in data) await verifySqlite(data, nodeFiles);
else serveSqlite(nodeFiles);
