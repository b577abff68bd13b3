/** `--set` values that make the stand-in Router call itself, so many times a second. */
export function recording(operationsPerSecond: number): string[] {
  return [
    'router.extraEnv[0].name=ROUTER_LOAD_RATE',
    // Helm makes a number of a whole one, and an environment has texts alone.
    `router.extraEnv[0].value=${operationsPerSecond.toFixed(1)}`,
  ];
}

/** The history in a file on a claim. */
export const sqlite = ['optional.storage.enabled=true'];
