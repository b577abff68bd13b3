import { describe, expect, it } from 'vitest';
import type { LockContent } from '../../../sidecar/src/stores/sqlite/lock/lock-content.ts';
import { formatLock, parseLock } from '../../../sidecar/src/stores/sqlite/lock/lock-content.ts';
import { isNeighbour, isStale } from '../../../sidecar/src/stores/sqlite/lock/lock-verdict.ts';

const self = { host: 'pod-a', pid: 7, started: '100', pidNamespace: 'pid:[1]', boot: 'boot-1' };
const holder: LockContent = {
  ...self,
  pid: 8,
  owner: 'another',
  beat: 3,
  monotonicMs: 100_000,
  time: '2026-11-23T09:41:46.610Z',
};

describe('a lock that somebody else holds', () => {
  it.each([
    ['another host, watched for less', { host: 'b', boot: 'boot-2' }, 4_900, 0, false],
    ['another host, unchanged for five seconds', { host: 'b', boot: 'boot-2' }, 5_000, 0, true],
    ['another boot, whose clock says nothing', { host: 'b', boot: 'boot-2' }, 0, 900_000, false],
    ['a neighbour on this node, an old beat', { host: 'b' }, 0, 105_000, true],
    ['a neighbour on this node, a recent beat', { host: 'b' }, 0, 104_000, false],
    ['another container of this Pod, an old beat', { pidNamespace: 'pid:[2]' }, 0, 105_000, true],
    ['another container of this Pod, delayed', { pidNamespace: 'pid:[2]' }, 0, 104_900, false],
    ['this namespace, one beat missed', {}, 0, 101_600, false],
    ['this namespace, frozen', {}, 0, 105_000, true],
    ['a clock that runs behind', {}, 0, 10_000, false],
    ['no boot id to compare', { host: 'b', boot: '' }, 0, 900_000, false],
  ])('%s', (_, differs, unchangedMs, nowMs, stale) => {
    expect(isStale({ content: { ...holder, ...differs }, unchangedMs, nowMs }, self)).toBe(stale);
  });

  it('is stale after five unchanged seconds where nothing can be read', () => {
    expect(isStale({ content: undefined, unchangedMs: 4_900, nowMs: 9e9 }, self)).toBe(false);
    expect(isStale({ content: undefined, unchangedMs: 5_000, nowMs: 0 }, self)).toBe(true);
  });

  it('can be looked up by process id in the same namespace alone', () => {
    expect(isNeighbour(holder, self)).toBe(true);
    expect(isNeighbour({ ...holder, pidNamespace: 'pid:[2]' }, self)).toBe(false);
    expect(isNeighbour({ ...holder, boot: 'boot-2' }, self)).toBe(false);
    expect(isNeighbour({ ...holder, host: 'b' }, self)).toBe(false);
  });
});

describe('the content of a lock file', () => {
  it('has one length, whatever the beat, and reads back', () => {
    const later = { ...holder, network: 'net:[4026531840]', beat: 1e9, monotonicMs: 1e15 };
    expect(formatLock(holder)).toHaveLength(formatLock(later).length);
    expect(parseLock(formatLock(later))).toEqual(later);
  });

  it.each([
    '',
    '\0\0\0',
    '{',
    '[]',
    'null',
    '{"owner":"x"}',
    formatLock(holder).slice(0, 90),
    JSON.stringify({ ...holder, network: 7 }),
  ])('is nothing where no holder wrote it in full: %j', (text) =>
    expect(parseLock(text)).toBeUndefined(),
  );
});
