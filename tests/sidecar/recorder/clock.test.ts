import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { systemClock, whenAborted } from '../../../sidecar/src/recorder/clock.ts';

describe('the system clock', () => {
  it('sleeps for about as long as it is told', async () => {
    const start = systemClock.now();
    await systemClock.sleep(50, new AbortController().signal);
    expect(systemClock.now() - start).toBeGreaterThan(45);
  });

  it('wakes at the signal, and leaves no listener behind', async () => {
    const controller = new AbortController();
    const slept = systemClock.sleep(600_000, controller.signal);
    await systemClock.sleep(1, controller.signal);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    controller.abort();
    await slept;
    await systemClock.sleep(600_000, controller.signal);
    await whenAborted(controller.signal);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });
});
