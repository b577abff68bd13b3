/** Drives a running sidecar with the records of a simulated fleet: see simulate/. */

import { main } from './simulate/main.ts';

process.exitCode = await main(process.argv.slice(2), process.stdout, process.stderr);
