import { afterAll, beforeAll } from 'vitest';
import { program } from '../../../scripts/tools/program.ts';
import { type ControlPlane, startControlPlane } from '../control-plane/control-plane.ts';

/**
 * Gives the tests of a file one control plane, which ends with them.
 *
 * @returns how a test gets at it
 */
export function useControlPlane(): () => ControlPlane {
  let plane: ControlPlane | undefined;
  // Half an hour holds a build of all programs; where they are there it takes seconds.
  beforeAll(async () => {
    for (const name of ['helm3', 'helm4', 'kubectl'] as const) await program(name);
    plane = await startControlPlane();
  }, 1_800_000);
  afterAll(() => plane?.stop());
  return () => {
    if (plane === undefined) throw new Error('the control plane runs from beforeAll to afterAll');
    return plane;
  };
}
