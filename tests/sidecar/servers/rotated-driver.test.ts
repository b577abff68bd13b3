import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { serverStore } from '../../../sidecar/src/life/server-store.ts';
import { noopStore } from '../../../sidecar/src/stores/noop.ts';
import type { DsnSource } from '../../../sidecar/src/stores/server/dsn-source.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';
import { keptLog } from '../recorder/support/harness.ts';
import { startMariadb } from '../support/mariadb-server.ts';
import { postAudit, RECORD } from '../support/post.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { expectRoundTrip } from './support/round-trip.ts';

it('a Secret that is rotated to the other driver is followed, with all that is queued', async () => {
  await using postgres = await PostgresServer.start();
  await using mariadb = await startMariadb();
  await using directory = await temporaryDirectory();
  const file = directory.path('dsn');
  writeFileSync(file, postgres.dsn(await postgres.createDatabase()));
  await using sidecar = await startSidecar({ STORAGE_DSN_FILE: file });
  await expectRoundTrip(sidecar);
  expect((await sidecar.readiness()).driver).toBe('postgres');

  await postgres.stop();
  const queued = { ...RECORD, event_id: randomUUID() };
  expect((await postAudit(sidecar.api, queued)).status).toBe(202);
  await sidecar.storage('down');
  writeFileSync(file, mariadb.dsn(await mariadb.createDatabase()));
  await expectRoundTrip(sidecar);
  expect((await sidecar.readiness()).driver).toBe('mysql');
  const listed = await fetch(`${sidecar.api}/v1/audit-events?event_id=${queued.event_id}`);
  expect(await listed.json()).toMatchObject({ items: [queued] });
  expect(sidecar.logs.map(({ reason }) => reason).join()).not.toContain('not one of a Postgres');
});

const POSTGRES = 'postgres://u:secret@db/x';
const MYSQL = 'mysql://u:secret@db/x';

/** A store whose drivers connect to nothing, and what they were given. */
function fakeServerStore(file: string, asked?: 'postgres') {
  const sources: DsnSource[] = [];
  const closed: string[] = [];
  const store = serverStore(
    { driver: asked ?? 'unknown', asked, places: { dsnFile: file } },
    async (driver, source): Promise<Store> => {
      sources.push(source);
      const close = async () => void closed.push(driver);
      return { ...noopStore(), driver, open: async () => void (await source.current()), close };
    },
    keptLog().log,
  );
  return { store, sources, closed };
}

it('a driver is never given the DSN of the other one, and gives way at the next opening', async () => {
  await using directory = await temporaryDirectory();
  const file = directory.path('dsn');
  writeFileSync(file, POSTGRES);
  const { store, sources, closed } = fakeServerStore(file);
  await store.open();
  await store.open();
  expect(sources).toHaveLength(1);
  writeFileSync(file, MYSQL);
  await expect(sources[0]?.current()).rejects.toThrow(
    'the DSN is for mysql now, and postgres is in use',
  );
  await store.open();
  expect(store.driver).toBe('mysql');
  expect(closed).toEqual(['postgres']);
  // What is wrong with it is the matter of the driver that there is.
  writeFileSync(file, '');
  await expect(store.open()).rejects.toThrow('is blank');
  expect(store.driver).toBe('mysql');
});

it('a driver that STORAGE_DRIVER names stays, and the DSN of the other one is told', async () => {
  await using directory = await temporaryDirectory();
  const file = directory.path('dsn');
  writeFileSync(file, POSTGRES);
  const { store } = fakeServerStore(file, 'postgres');
  await store.open();
  writeFileSync(file, MYSQL);
  await expect(store.open()).rejects.toThrow(
    'is for mysql by its scheme, but STORAGE_DRIVER is postgres',
  );
  expect(store.driver).toBe('postgres');
});
