import { describe, expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { ListQuery } from '../../../sidecar/src/records/list.ts';
import { DatabaseError } from '../../../sidecar/src/stores/sqlite/database/database-error.ts';
import {
  fromPlain,
  fromWire,
  nameAndPlace,
  toPlain,
  toWire,
} from '../../../sidecar/src/stores/sqlite/worker/protocol.ts';
import { StoreError } from '../../../sidecar/src/stores/store-error.ts';

describe('messages between the threads', () => {
  it('carry a store error over a copy', () => {
    const error = new StoreError('cannot commit', { class: 'data', hint: 'look at it' });
    const back = fromPlain(structuredClone(toPlain(error)));
    expect(back).toBeInstanceOf(StoreError);
    expect(back).toMatchObject({ class: 'data', reason: 'cannot commit; look at it' });
  });

  it('tell when the file is damaged', () => {
    expect(toPlain(new DatabaseError('damaged', { corrupt: true })).corrupt).toBe(true);
    expect(toPlain(new DatabaseError('other')).corrupt).toBe(false);
  });

  it('tell of any other error its name and place, and not what it says', () => {
    const plain = toPlain(new TypeError('ana@example.com did it\n    at secret (x)'));
    expect(plain.class).toBe('transient');
    expect(plain.message).toMatch(/^SQLite worker: TypeError \([\w.-]+:\d+:\d+\)$/);
    expect(nameAndPlace('ana@example.com')).toBe('string');
  });

  it('carry a list query, whose kind is one of ours again', () => {
    const query: ListQuery = {
      kind: AUDIT_EVENT,
      filters: new Map([['actor', ['a', 'b']]]),
      since: '2026-11-23T09:41:46.610360000Z',
      order: 'asc',
      limit: 7,
      after: { ts: '2026-11-23T09:41:46.610360000Z', id: '9007199254740993' },
    };
    const back = fromWire(structuredClone(toWire(query)));
    expect(back).toEqual(query);
    expect(back.kind).toBe(AUDIT_EVENT);
    expect(() => fromWire({ ...toWire(query), kind: 3 })).toThrow(RangeError);
  });
});
