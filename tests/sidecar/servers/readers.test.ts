import { afterEach, expect, it, vi } from 'vitest';
import { type Lendable, Readers } from '../../../sidecar/src/stores/server/readers.ts';
import { StoreError } from '../../../sidecar/src/stores/store-error.ts';

/** A connection that remembers how it was left. */
class Line implements Lendable {
  readonly number: number;
  left: 'end' | 'destroy' | undefined;
  constructor(number: number) {
    this.number = number;
  }
  get isUsable(): boolean {
    return this.left === undefined;
  }
  end(): void {
    this.left ??= 'end';
  }
  destroy(): void {
    this.left ??= 'destroy';
  }
}

/** Lends up to so many lines, numbered in the order in which they were made. */
function lending(most: number) {
  const lines: Line[] = [];
  const readers = new Readers(async () => {
    const line = new Line(lines.length);
    lines.push(line);
    return line;
  }, most);
  return { readers, lines };
}

/** Holds a connection until it is released; `line` rejects where none is lent. */
function hold(readers: Readers<Line>) {
  const lent = Promise.withResolvers<Line>();
  const release = Promise.withResolvers<void>();
  const done = readers.use((line) => {
    lent.resolve(line);
    return release.promise;
  });
  done.catch(lent.reject);
  return { line: lent.promise, release: release.resolve, done };
}

/** Lets all that is not waiting for a clock go on. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

const CLOSED = new StoreError('the store is closed');

afterEach(() => void vi.useRealTimers());

it('makes a connection when it is needed, and lends one that is idle first', async () => {
  const { readers, lines } = lending(2);
  expect(readers.count).toBe(0);
  expect(await readers.use(async ({ number }) => number)).toBe(0);
  expect(await readers.use(async ({ number }) => number)).toBe(0);
  const [one, two] = [hold(readers), hold(readers)];
  expect([(await one.line).number, (await two.line).number]).toEqual([0, 1]);
  expect([readers.count, lines.length]).toEqual([2, 2]);
  one.release();
  two.release();
  await Promise.all([one.done, two.done]);
  expect(readers.count).toBe(2);
});

it('makes no more than the bound: who comes then waits in turn', async () => {
  const { readers, lines } = lending(1);
  const first = hold(readers);
  await first.line;
  const order: string[] = [];
  const work = (name: string) => readers.use(async () => void order.push(name));
  const waiting = [work('a'), work('b'), work('c')];
  await settled();
  expect(order).toEqual([]);
  first.release();
  await Promise.all(waiting);
  expect(order).toEqual(['a', 'b', 'c']);
  expect(lines).toHaveLength(1);
});

it('wakes two who wait for two releases in one turn', async () => {
  const { readers, lines } = lending(2);
  const held = [hold(readers), hold(readers)];
  await Promise.all(held.map(({ line }) => line));
  const waiting = [hold(readers), hold(readers)];
  await settled();
  for (const { release } of held) release();
  const numbers = await Promise.all(waiting.map(async ({ line }) => (await line).number));
  expect(numbers.sort()).toEqual([0, 1]);
  expect(lines).toHaveLength(2);
  for (const { release } of waiting) release();
  await Promise.all(waiting.map(({ done }) => done));
});

it('lets nobody who comes meanwhile take the place of one who waits', async () => {
  const { readers } = lending(1);
  const first = hold(readers);
  await first.line;
  const order: string[] = [];
  const work = (name: string) => readers.use(async () => void order.push(name));
  const all = [work('waiting')];
  first.release();
  for (let turn = 0; turn < 8; turn++) {
    all.push(work(`late ${turn}`));
    await Promise.resolve();
  }
  await Promise.all(all);
  expect(order).toHaveLength(9);
  expect(order[0]).toBe('waiting');
});

it('refuses who has waited for 5 s, and goes on with the others', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { readers } = lending(1);
  const first = hold(readers);
  await first.line;
  const early = readers.use(async () => 'early').catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(4_000);
  const late = readers.use(async () => 'late');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await early).toMatchObject({
    message: 'all 1 connections for lists are busy',
    hint: 'try again soon',
    class: 'transient',
  });
  first.release();
  expect(await late).toBe('late');
  expect(await readers.use(async () => 'next')).toBe('next');
});

it('does not lend a connection again that broke, in use or idle', async () => {
  const { readers, lines } = lending(1);
  const broken = readers.use(async (line) => {
    line.destroy();
    throw new Error('it broke');
  });
  await expect(broken).rejects.toThrow('it broke');
  expect(readers.count).toBe(0);
  expect(await readers.use(async ({ number }) => number)).toBe(1);
  lines[1]?.destroy();
  expect(readers.count).toBe(0);
  expect(await readers.use(async ({ number }) => number)).toBe(2);
});

it('lends a connection again whose work failed without breaking it', async () => {
  const { readers, lines } = lending(1);
  await expect(readers.use(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await readers.use(async ({ number }) => number)).toBe(0);
  expect(lines).toHaveLength(1);
});

it('frees the place of a connection that cannot be made, for who waits and who comes', async () => {
  let tries = 0;
  const readers = new Readers(async () => {
    tries += 1;
    if (tries < 3) throw new Error(`refused ${tries}`);
    return new Line(tries);
  }, 1);
  const [first, second] = [readers.use(async () => 1), readers.use(async () => 2)];
  await expect(first).rejects.toThrow('refused 1');
  await expect(second).rejects.toThrow('refused 2');
  expect(await readers.use(async ({ number }) => number)).toBe(3);
});

it('gives an idle connection back after a minute, and counts anew with each use', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { readers, lines } = lending(1);
  await readers.use(async () => {});
  await vi.advanceTimersByTimeAsync(59_000);
  await readers.use(async () => {});
  await vi.advanceTimersByTimeAsync(59_000);
  expect(lines[0]?.left).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1_000);
  expect([lines[0]?.left, readers.count]).toEqual(['end', 0]);
  expect(await readers.use(async ({ number }) => number)).toBe(1);
});

it('takes leave by those that are idle, and leaves those in use alone', async () => {
  const { readers, lines } = lending(2);
  const held = hold(readers);
  await held.line;
  await readers.use(async () => {});
  readers.dropIdle();
  expect(lines.map(({ left }) => left)).toEqual([undefined, 'end']);
  held.release();
  await held.done;
  expect(await readers.use(async ({ number }) => number)).toBe(0);
});

it('cuts all when told to, and connects anew for the next', async () => {
  const { readers, lines } = lending(2);
  const held = hold(readers);
  await held.line;
  await readers.use(async () => {});
  readers.drop();
  expect(lines.map(({ left }) => left)).toEqual(['destroy', 'destroy']);
  held.release();
  await held.done;
  expect(await readers.use(async ({ number }) => number)).toBe(2);
});

it('at its end takes leave by idle ones, cuts those in use, and refuses who comes', async () => {
  const { readers, lines } = lending(2);
  const held = hold(readers);
  await held.line;
  await readers.use(async () => {});
  readers.end();
  expect(lines.map(({ left }) => left)).toEqual(['destroy', 'end']);
  held.release();
  await held.done;
  expect(readers.count).toBe(0);
  await expect(readers.use(async () => {})).rejects.toThrow(CLOSED);
  expect(lines).toHaveLength(2);
});

it('at its end refuses all who wait, at once', async () => {
  const { readers, lines } = lending(1);
  await hold(readers).line;
  const waiting = Promise.allSettled([readers.use(async () => {}), readers.use(async () => {})]);
  readers.end();
  const reason = CLOSED;
  expect(await waiting).toEqual([
    { status: 'rejected', reason },
    { status: 'rejected', reason },
  ]);
  expect(lines).toHaveLength(1);
});

it('at its end cuts a connection that is being made', async () => {
  const made = Promise.withResolvers<Line>();
  const readers = new Readers(() => made.promise, 1);
  const list = readers.use(async () => 'read');
  await settled();
  readers.end();
  const line = new Line(0);
  made.resolve(line);
  await expect(list).rejects.toThrow(CLOSED);
  expect(line.left).toBe('destroy');
});
