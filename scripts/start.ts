/** Runs the sidecar with SQLite at ./data/agenttier.db, unless the environment selects a store. */

import { formatAddress } from '../sidecar/src/config/address.ts';
import { loadConfig } from '../sidecar/src/config/config.ts';
import { becomeSidecar } from './become-sidecar.ts';

const SELECTING = ['STORAGE_DRIVER', 'STORAGE_SQLITE_PATH', 'STORAGE_DSN', 'STORAGE_DSN_FILE'];
const DATABASE = './data/agenttier.db';

const env = { ...process.env };
const chosen = SELECTING.filter((name) => env[name]);
if (chosen.length === 0) env.STORAGE_SQLITE_PATH = DATABASE;

const store = chosen.length === 0 ? `SQLite at ${DATABASE}` : `storage by ${chosen.join(', ')}`;
const { api } = loadConfig(env).config;
const where = api === undefined ? 'does not listen' : `at http://${formatAddress(api)}`;
process.stderr.write(`AgentTier storage: ${store}; the API ${where}; Ctrl-C ends it.\n`);
becomeSidecar(env, process.argv.slice(2));
