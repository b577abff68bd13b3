/**
 * What Node is started with wherever the sidecar runs: by the npm scripts, the tests and the image.
 *
 * - `--max-semi-space-size=2`: V8's young generation otherwise grows to 16 MiB a half under load
 *   and stays resident.
 * - `--disable-sigusr1`: a signal must not open a debugger's port.
 */
export const NODE_FLAGS = ['--max-semi-space-size=2', '--disable-sigusr1'];
