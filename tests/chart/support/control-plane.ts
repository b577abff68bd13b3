import { afterAll, beforeAll } from 'vitest';
import { program } from '../../../scripts/tools/program.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import { sharedControlPlane } from '../control-plane/shared.ts';

/**
 * Gives the tests of a file the control plane of the run. Others use it at the same time: what is not in a
 * namespace of the test's own needs a name of its own.
 *
 * @returns how a test gets at it
 */
export function useControlPlane(): () => ControlPlane {
  let plane: ControlPlane | undefined;
  // Half an hour holds a build of all programs; where they are there it takes seconds.
  beforeAll(async () => {
    for (const name of ['helm3', 'helm4', 'kubectl'] as const) await program(name);
    plane = await sharedControlPlane();
  }, 1_800_000);
  afterAll(() => plane?.client.close());
  return () => {
    if (plane === undefined) throw new Error('there is a control plane from beforeAll to afterAll');
    return plane;
  };
}
