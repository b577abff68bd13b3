import { describe, expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { ListQuery } from '../../../sidecar/src/records/list.ts';
import { readPage } from '../../../sidecar/src/stores/sqlite/read-page.ts';
import { Turns } from '../../../sidecar/src/stores/sqlite/turns.ts';
import type { Slice } from '../../../sidecar/src/stores/sqlite/worker/protocol.ts';

const query: ListQuery = { kind: AUDIT_EVENT, filters: new Map(), order: 'asc', limit: 10 };
const at = (n: number) => ({ ts: '2026-11-23T09:41:46.610360000Z', id: String(n) });

/** A table of ids from 1 that answers a few rows a slice. */
function table(rows: number, perSlice: number, processorMs = 1, bytes = 1, tookMs = processorMs) {
  const asked: ListQuery[] = [];
  const slice = async (part: ListQuery): Promise<Slice> => {
    asked.push(part);
    const first = Number(part.after?.id ?? 0) + 1;
    const count = Math.min(perSlice, part.limit, rows - first + 1);
    const items = Array.from({ length: count }, (_, i) => ({ id: String(first + i) }));
    const last = first + count - 1;
    const page = { items, next: last < rows ? at(last) : null };
    return { page, bytes: bytes * count, tookMs, processorMs };
  };
  return { asked, slice };
}

describe('a page', () => {
  it('is put together from slices, each asked for what is left', async () => {
    const { asked, slice } = table(100, 4);
    const page = await readPage(query, slice);
    expect(page.items.map(({ id }) => Number(id))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(page.next).toEqual(at(10));
    expect(asked.map(({ limit }) => limit)).toEqual([10, 6, 2]);
  });

  it('ends where the table ends', async () => {
    const page = await readPage(query, table(3, 2).slice);
    expect(page.items).toHaveLength(3);
    expect(page.next).toBeNull();
  });

  it('is answered short when it has taken its share of the worker, and goes on from there', async () => {
    const { asked, slice } = table(100, 1, 100);
    const page = await readPage(query, slice);
    expect(asked).toHaveLength(3);
    expect(page.next).toEqual(at(3));
  });

  it('is not answered short because the worker had to wait for the processor', async () => {
    const { asked, slice } = table(100, 4, 1, 1, 300);
    const page = await readPage(query, slice);
    expect(page.items).toHaveLength(10);
    expect(asked).toHaveLength(3);
  });

  it('is answered short when it has taken long, though the disk took the time', async () => {
    const { asked, slice } = table(100, 1, 1, 1, 700);
    const page = await readPage(query, slice);
    expect(asked).toHaveLength(3);
    expect(page.next).toEqual(at(3));
  });

  it('is answered short when its texts are long', async () => {
    const page = await readPage(query, table(100, 1, 1, 2 * 1_024 * 1_024).slice);
    expect(page.items).toHaveLength(2);
    expect(page.next).toEqual(at(2));
  });
});

describe('turns', () => {
  it('go round: no list waits for the end of another', async () => {
    const turns = new Turns();
    const order: string[] = [];
    const list = async (name: string) => {
      for (let i = 0; i < 3; i++) {
        await turns.take(async () => {
          order.push(name);
        });
      }
    };
    await Promise.all([list('a'), list('b')]);
    expect(order).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  });

  it('pass on after a failure', async () => {
    const turns = new Turns();
    const failed = turns.take(() => Promise.reject(new Error('slice failed')));
    await expect(failed).rejects.toThrow('slice failed');
    expect(await turns.take(async () => 1)).toBe(1);
  });
});
