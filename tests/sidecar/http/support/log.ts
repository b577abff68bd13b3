import type { Log } from '../../../../sidecar/src/telemetry/log.ts';

/** Says nothing. */
export const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} } as Log;
