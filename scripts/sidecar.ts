/** Runs exactly what the image runs: the bundle, configured by the environment alone. */

import { becomeSidecar } from './become-sidecar.ts';

becomeSidecar(process.env, process.argv.slice(2));
