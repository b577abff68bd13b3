import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { noopStore } from '../../../sidecar/src/stores/noop.ts';
import type { Backup, Store } from '../../../sidecar/src/stores/store.ts';
import { StoreError } from '../../../sidecar/src/stores/store-error.ts';
import { unusableStore } from '../../../sidecar/src/stores/unusable.ts';
import { TestApi } from './support/listener.ts';
import { MemoryStore } from './support/memory-store.ts';

const PATH = '/v1/backup';

/** A store whose backup consists of parts, of which one may not come. */
function backedUp(parts: readonly string[], failure?: Error) {
  const state = { begun: 0, closed: 0 };
  const bytes = Buffer.byteLength(parts.join(''));
  const store: Store = Object.assign(new MemoryStore(), {
    async backup(): Promise<Backup> {
      state.begun += 1;
      return {
        bytes,
        async *parts() {
          for (const [place, part] of parts.entries()) {
            if (failure !== undefined && place === parts.length - 1) throw failure;
            yield Buffer.from(part);
          }
        },
        async close() {
          state.closed += 1;
        },
      };
    },
  });
  return { store, state };
}

test('answers every part, with the length of all of them', async () => {
  const { store, state } = backedUp(['SQLite', ' format 3', '...']);
  const api = await TestApi.start(store);
  const { status, headers, text } = await api.send(PATH);
  expect({ status, text }).toEqual({ status: 200, text: 'SQLite format 3...' });
  expect(headers).toMatchObject({
    'content-type': 'application/vnd.sqlite3',
    'content-length': '18',
    'content-disposition': 'attachment; filename="agenttier.db"',
  });
  expect(state).toEqual({ begun: 1, closed: 1 });
  expect(api.api.backups).toEqual({ sent: 1, cut: 0 });
});

test('HEAD tells the length and reads nothing', async () => {
  const { store, state } = backedUp(['abc'], new Error('was read'));
  const api = await TestApi.start(store);
  const { status, headers, text } = await api.send(PATH, { method: 'HEAD' });
  expect({ status, text, length: headers['content-length'] }).toEqual({
    status: 200,
    text: '',
    length: '3',
  });
  expect(state).toEqual({ begun: 1, closed: 1 });
  expect(api.api.backups).toEqual({ sent: 0, cut: 0 });
});

test.each([
  ['the store says why it cannot', new StoreError('the log had to be moved')],
  ['something unforeseen happens', new TypeError('secret of a record')],
])('ends the connection before the last part where %s', async (_what, failure) => {
  const { store, state } = backedUp(['first', 'last'], failure);
  const api = await TestApi.start(store);
  const connection = await api.connect();
  connection.socket.write(`GET ${PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  const received = await connection.until(/last/);
  expect(connection.socket.closed).toBe(true);
  expect(received).toMatch(/Content-Length: 9\r\n(.*\r\n)*\r\nfirst$/);
  await vi.waitFor(() => expect(state).toEqual({ begun: 1, closed: 1 }));
  expect(api.api.backups).toEqual({ sent: 0, cut: 1 });
  // The listener goes on.
  expect((await api.send('/openapi.json')).status).toBe(200);
});

test('a client that leaves ends the reading', async () => {
  const { store, state } = backedUp(Array(1_000).fill('x'.repeat(100_000)));
  const api = await TestApi.start(store);
  const connection = await api.connect();
  connection.socket.write(`GET ${PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await connection.until(/xxx/);
  expect(state.closed).toBe(0);
  connection.socket.destroy();
  await once(connection.socket, 'close');
  await vi.waitFor(() => expect(state).toEqual({ begun: 1, closed: 1 }), 5_000);
  expect(api.api.backups).toEqual({ sent: 0, cut: 1 });
});

test('a client that leaves before it has begun is not waited for', async () => {
  const store = new MemoryStore() as MemoryStore & Pick<Store, 'backup'>;
  let given: AbortSignal | undefined;
  store.backup = (signal) => {
    given = signal;
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new StoreError('nobody waits')));
    });
  };
  const api = await TestApi.start(store);
  const connection = await api.connect();
  connection.socket.write(`GET ${PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await vi.waitFor(() => expect(given).toBeDefined());
  await sleep(20);
  expect(given?.aborted).toBe(false);
  connection.socket.destroy();
  await vi.waitFor(() => expect(given?.aborted).toBe(true));
});

test.each([
  ['none', noopStore(), 501, 'storage is off: there is nothing to back up'],
  ['postgres', { ...noopStore(), driver: 'postgres' }, 501, /on a server: .*pg_dump/],
  ['mysql', { ...noopStore(), driver: 'mysql' }, 501, /on a server: .*mysqldump/],
  [
    'a DSN that is not there',
    { ...noopStore(), driver: 'unknown' },
    501,
    /on a server: .*own tools/,
  ],
  ['unusable', unusableStore('sqlite', 'no path'), 503, 'storage cannot be read: no path'],
] as const)('%s says what to do instead', async (_driver, store, expected, why) => {
  const api = await TestApi.start(store as Store);
  const { status, text, headers } = await api.send(PATH);
  expect(status).toBe(expected);
  expect(JSON.parse(text).detail).toMatch(why);
  expect(headers['retry-after']).toBe(status === 503 ? '5' : undefined);
});

test('takes neither parameters nor a POST', async () => {
  const { store, state } = backedUp(['abc']);
  const api = await TestApi.start(store);
  const asked = await api.send(`${PATH}?since=24h`);
  expect([asked.status, JSON.parse(asked.text).detail]).toEqual([
    400,
    'a backup takes no query parameters',
  ]);
  const posted = await api.send(PATH, { method: 'POST', body: '{}' });
  expect([posted.status, posted.headers.allow]).toEqual([405, 'GET, HEAD']);
  expect(state.begun).toBe(0);
});
