import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Tries until a look at something passes.
 *
 * @returns what the look returned
 * @throws what the last look threw, when the time is over
 */
export async function eventually<T>(look: () => Promise<T>, seconds = 60): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(250);
    }
  }
}
