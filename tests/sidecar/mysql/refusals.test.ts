import { chmod, mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseDsn } from '../../../sidecar/src/config/dsn/parse-dsn.ts';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { Rows } from '../../../sidecar/src/records/rows.ts';
import { Session } from '../../../sidecar/src/stores/mysql/session.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';
import { smallVolume } from '../e2e/support/volume.ts';
import { type MariadbServer, query, startMariadb } from '../support/mariadb-server.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { readAll, rowsOf, storeFrom, storeOn } from './harness.ts';

const MIB = 1_024 * 1_024;

let server: MariadbServer;
beforeAll(async () => {
  server = await startMariadb({ args: ['--max-connections=20'] });
});
afterAll(() => server[Symbol.asyncDispose]());

const again = ({ bytes, count }: Rows): Rows => ({ bytes: Buffer.from(bytes), count });

const connectionsMade = (store: Store) =>
  store.gauges?.().find(({ name }) => name === 'connections_made_total')?.value;

async function migrated(): Promise<string> {
  const database = await server.createDatabase();
  await using owner = storeOn(server.dsn(database));
  await owner.open();
  return database;
}

it('loses a deadlock (1213), and stores the batch by the same connection', async () => {
  const database = await migrated();
  await using store = storeOn(server.dsn(database));
  await store.open();
  const other = server.connect(database);
  try {
    // InnoDB rolls back whoever has changed less.
    const many = Array.from({ length: 50 }, (_, i) => `('x', 'other-${i}')`).join(', ');
    await query(
      other,
      `START TRANSACTION; INSERT INTO audit_events (ts, event_id) VALUES ('x', 'a'), ${many}`,
    );
    const rows = rowsOf(AUDIT_EVENT, 2, (i) => ({ event_id: i === 0 ? 'b' : 'a' }));
    const refused = expect(store.append(again(rows))).rejects.toMatchObject({
      class: 'transient',
      message: expect.stringMatching(/^cannot append: a deadlock was broken up \(.*1213\)$/),
    });
    await expect
      .poll(
        () =>
          server.sql(
            "SELECT 1 AS waits FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
          ),
        // The server refreshes this view only if nobody has read it for 100 ms.
        { timeout: 15_000, interval: 250 },
      )
      .toHaveLength(1);
    await query(other, "INSERT INTO audit_events (ts, event_id) VALUES ('x', 'b')");
    await refused;
    await query(other, 'ROLLBACK');
    expect(await store.append(rows)).toEqual({ duplicates: [] });
    expect(await readAll(store)).toHaveLength(2);
    expect(connectionsMade(store)).toBe(2); // The second is for the list.
  } finally {
    other.destroy();
  }
});

it('tells that the server has too many connections (1040), and connects when it has not', async () => {
  const database = await migrated();
  await server.sql(
    `CREATE USER crowd@'%' IDENTIFIED BY 'pw'; GRANT SELECT, INSERT, UPDATE ON ${database}.* TO crowd@'%'`,
  );
  await using store = storeOn(server.dsn(database, 'crowd:pw'));
  const others = Array.from({ length: 20 }, () => server.connect());
  try {
    await Promise.all(others.map((other) => query(other, 'SELECT 1')));
    await expect(store.open()).rejects.toMatchObject({
      class: 'transient',
      reason: expect.stringMatching(/too many connections .*1040\); raise max_connections/),
    });
  } finally {
    for (const other of others) other.destroy();
  }
  await expect.poll(() => store.open().then(() => 'open', String)).toBe('open');
  expect(await store.append(rowsOf(AUDIT_EVENT, 1))).toEqual({ duplicates: [] });
});

it("tells that a user's limit is reached (1226), and connects when it is not", async () => {
  const database = await migrated();
  await server.sql(
    `CREATE USER single@'%' IDENTIFIED BY 'pw' WITH MAX_USER_CONNECTIONS 1;
     GRANT SELECT, INSERT, UPDATE ON ${database}.* TO single@'%'`,
  );
  const dsn = server.dsn(database, 'single:pw');
  await using store = storeOn(dsn);
  {
    await using first = storeOn(dsn);
    await first.open();
    await expect(store.open()).rejects.toMatchObject({
      class: 'transient',
      reason: expect.stringMatching(/resource limit .*1226\); raise the user's limits/),
    });
  }
  await expect.poll(() => store.open().then(() => 'open', String)).toBe('open');
});

it('is stopped by max_statement_time (1969), and goes on by the same connection', async () => {
  const database = await migrated();
  await server.sql(
    `CREATE USER hasty@'%' IDENTIFIED BY 'pw' WITH MAX_STATEMENT_TIME 0.5;
     GRANT SELECT, INSERT, UPDATE ON ${database}.* TO hasty@'%'`,
  );
  await using store = storeOn(server.dsn(database, 'hasty:pw'));
  await store.open();
  const other = server.connect(database);
  try {
    await query(
      other,
      "START TRANSACTION; INSERT INTO audit_events (ts, event_id) VALUES ('x', 'a')",
    );
    const rows = rowsOf(AUDIT_EVENT, 1, () => ({ event_id: 'a' }));
    await expect(store.append(again(rows))).rejects.toMatchObject({
      class: 'transient',
      reason: expect.stringMatching(/max_statement_time \(.*1969\); raise max_statement_time/),
    });
    await query(other, 'ROLLBACK');
    expect(await store.append(rows)).toEqual({ duplicates: [] });
    expect(connectionsMade(store)).toBe(1);
  } finally {
    other.destroy();
  }
});

it('makes a table anew that somebody dropped (1146)', async () => {
  const database = await migrated();
  await using store = storeOn(server.dsn(database));
  await store.open();
  await server.sql('DROP TABLE audit_events', database);
  const rows = rowsOf(AUDIT_EVENT, 1);
  await expect(store.append(again(rows))).rejects.toMatchObject({
    class: 'transient',
    message: expect.stringMatching(/a table is missing \(.*1146\)/),
  });
  await store.open();
  expect(await store.append(rows)).toEqual({ duplicates: [] });
});

/** Fills the disk under a server of its own; what the store says then, and whether it stores all later. */
async function onFullDisk(
  path: string,
  ends: AsyncDisposableStack,
): Promise<{ told: unknown; mend: () => Promise<void> }> {
  const own = ends.use(await startMariadb({ directory: path }));
  const database = await own.createDatabase();
  const store = ends.use(storeOn(own.dsn(database)));
  await store.open();
  // Its log and its own tables find room, a table that grows by megabytes does not.
  const ballast = `${path}/ballast`;
  const { bavail, bsize } = await statfs(path);
  await writeFile(ballast, Buffer.alloc(bavail * bsize - 6 * MIB));
  let stored = 0;
  let told: unknown;
  let refused: Rows | undefined;
  for (let batch = 0; told === undefined && batch < 100; batch++) {
    const rows = rowsOf(AUDIT_EVENT, 20, () => ({ details: 'x'.repeat(60_000) }));
    refused = again(rows);
    await store.append(rows).then(
      () => {
        stored += 20;
      },
      (error: unknown) => {
        told = error;
      },
    );
  }
  const mend = async () => {
    await rm(ballast);
    // It may take the server a few attempts to find the room.
    const retry = async () => {
      await store.open();
      return store.append(again(refused as Rows));
    };
    await expect.poll(() => retry().catch(String), { timeout: 15_000 }).toEqual({ duplicates: [] });
    expect(await readAll(store)).toHaveLength(stored + 20);
  };
  return { told, mend };
}

it('tells that the disk is full, and stores all when there is room again', async ({ skip }) => {
  for (let attempt = 1; ; attempt++) {
    await using directory = await temporaryDirectory();
    const path = directory.path('volume');
    await mkdir(path);
    await chmod(directory.root, 0o711); // For the user of the server.
    await using volume = smallVolume(path, 96 * MIB);
    if (volume === undefined) return skip('this machine does not let us mount a tmpfs');
    await using ends = new AsyncDisposableStack();
    const { told, mend } = await onFullDisk(path, ends);
    // On a slow machine the server itself may give up over the full disk, and tells nobody why.
    if (attempt < 5 && /closed the connection/.test((told as Error).message)) continue;
    expect(told).toMatchObject({
      class: 'transient',
      reason: expect.stringMatching(/(?:1114|1030|1021|1026|\b3)\).*free space/),
    });
    await mend();
    return;
  }
});

it('tells that a host has no address, and connects by the DSN that mends it', async () => {
  await using directory = await temporaryDirectory();
  const file = directory.path('dsn');
  await writeFile(file, 'root@tcp(no-such-host.invalid:3306)/agenttier');
  await using store = storeFrom({ dsnFile: file, driver: 'mysql' });
  await expect(store.open()).rejects.toMatchObject({
    class: 'transient',
    reason: expect.stringMatching(/\((?:ENOTFOUND|EAI_AGAIN)\); check .*DNS/),
  });
  await writeFile(file, server.dsn(await server.createDatabase()));
  await store.open();
});

it('gives up a server that takes connections and says nothing', async () => {
  const database = await migrated();
  await using proxy = await tcpProxy({ host: '127.0.0.1', port: server.port });
  proxy.mode = 'stall';
  await using store = storeOn(`${server.dsn(database, 'root', proxy.port)}?timeout=500ms`);
  await expect(store.open()).rejects.toMatchObject({
    class: 'transient',
    message: 'the server has not answered for 0.5 s',
  });
  proxy.mode = 'pass';
  await expect.poll(() => store.open().then(() => 'open', String)).toBe('open');
});

it('ends a connection whose statement takes too long', async () => {
  const dsn = parseDsn(server.dsn(await server.createDatabase()), 'mysql');
  const [address] = dsn.hosts;
  if (address === undefined) throw new Error('the DSN names no host');
  const session = new Session({ address, tls: undefined, timeoutMs: 10_000 }, dsn);
  try {
    await session.login();
    await expect(session.run('SELECT SLEEP(30)', 200)).rejects.toThrow('has not answered');
    expect(session.isUsable).toBe(false);
    await expect(session.run('SELECT 1')).rejects.toThrow('has not answered');
  } finally {
    session.destroy();
  }
});
