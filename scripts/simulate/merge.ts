import type { SimulatedRecord } from './record.ts';

interface Head {
  record: SimulatedRecord;
  readonly source: Iterator<SimulatedRecord>;
  /** Decides between equal times, so that the result does not depend on the heap's shape. */
  readonly index: number;
}

/** Merges sequences that are each in order of time into one, holding one record of each. */
export function* mergeByTime(
  sources: readonly Iterator<SimulatedRecord>[],
): Generator<SimulatedRecord, void> {
  const heap: Head[] = [];
  sources.forEach((source, index) => {
    const first = source.next();
    if (!first.done) heap.push({ record: first.value, source, index });
  });
  for (let i = heap.length >> 1; i >= 0; i--) siftDown(heap, i);
  while (true) {
    const head = heap[0];
    if (head === undefined) return;
    yield head.record;
    const next = head.source.next();
    if (!next.done) {
      head.record = next.value;
    } else {
      const last = heap.pop();
      if (last !== undefined && heap.length > 0) heap[0] = last;
    }
    siftDown(heap, 0);
  }
}

function siftDown(heap: Head[], from: number): void {
  const moving = heap[from];
  if (moving === undefined) return;
  let at = from;
  while (true) {
    let child = 2 * at + 1;
    let least = heap[child];
    if (least === undefined) break;
    const right = heap[child + 1];
    if (right !== undefined && isBefore(right, least)) {
      child += 1;
      least = right;
    }
    if (!isBefore(least, moving)) break;
    heap[at] = least;
    at = child;
  }
  heap[at] = moving;
}

function isBefore(a: Head, b: Head): boolean {
  if (a.record.moment !== b.record.moment) return a.record.moment < b.record.moment;
  return a.index < b.index;
}
