/** Entry point of the SQLite worker thread; bundled by itself as `sqlite-worker.mjs`. */

import { nodeFiles } from '../files/node-files.ts';
import { serveSqlite } from './serve-sqlite.ts';

serveSqlite(nodeFiles);
