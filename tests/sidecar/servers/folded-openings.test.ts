import { PassThrough } from 'node:stream';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';
import { rowsOf, storeOn } from '../mysql/harness.ts';
import { startMariadb } from '../support/mariadb-server.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { storeAt } from '../support/postgres-store.ts';

const ATTEMPTS = 5;

/** What the log says while each write fails as on a full disk, and each opening succeeds. */
async function lines(open: (log: pino.Logger) => Store, fill: () => Promise<unknown>) {
  const stream = new PassThrough({ encoding: 'utf8' });
  const store = open(pino(stream));
  try {
    await store.open();
    await fill();
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await expect(store.append(rowsOf(AUDIT_EVENT, 1))).rejects.toMatchObject({
        class: 'transient',
      });
      await store.open();
    }
  } finally {
    await store.close(AbortSignal.timeout(1_000));
  }
  const text: string = stream.read();
  return text
    .trim()
    .split('\n')
    .map((line) => String(JSON.parse(line).msg));
}

it('a Postgres that lets in and takes no writes fills no log with good news', async () => {
  await using server = await PostgresServer.start();
  const database = await server.createDatabase();
  const said = await lines(
    (log) => storeAt(server.dsn(database), { log }),
    () =>
      server.query(
        `CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN RAISE 'full' USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER fill BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION fill()`,
        database,
      ),
  );
  // The one that made the tables is told by itself.
  expect(said.filter((msg) => msg === 'connected to Postgres')).toHaveLength(2);
});

it('a MariaDB that lets in and takes no writes fills no log with good news', async () => {
  await using server = await startMariadb();
  const database = await server.createDatabase();
  const said = await lines(
    (log) => storeOn(server.dsn(database), { log }),
    () =>
      server.sql(
        `CREATE TRIGGER fill BEFORE INSERT ON audit_events FOR EACH ROW
          SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'full'`,
        database,
      ),
  );
  expect(said.filter((msg) => msg === 'database is open')).toHaveLength(1);
});
