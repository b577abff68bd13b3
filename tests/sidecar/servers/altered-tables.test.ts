import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { Store } from '../../../sidecar/src/stores/store.ts';
import { rowsOf, storeOn } from '../mysql/harness.ts';
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts';
import { postAudit, RECORD } from '../support/post.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { storeAt } from '../support/postgres-store.ts';
import { startSidecar } from '../support/sidecar-process.ts';

/** Somebody alters a table that a sidecar has found sound, and goes on writing to. */
let postgres: PostgresServer;
let mariadb: MariadbServer;
beforeAll(async () => {
  postgres = await PostgresServer.start({ version: 15 });
  mariadb = await startMariadb();
});
afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
  await mariadb?.[Symbol.asyncDispose]();
});

const JAPANESE = '日本';
const LONG = 'more than ten characters';
const unusable = (why: string) => ({
  class: 'transient',
  message: `the table audit_events in this database cannot be used: ${why}`,
});

interface Case {
  readonly database: () => Promise<string>;
  readonly dsn: (database: string) => string;
  readonly sql: (sql: string, database: string) => Promise<unknown>;
  readonly store: (dsn: string, recheckMs?: number) => Store;
  readonly alter: string;
  readonly mend: string;
  /** That does not go into the altered table. */
  readonly details: string;
  readonly why: string;
}

const CASES: Readonly<Record<string, Case>> = {
  'on Postgres, to a text without room': {
    database: () => postgres.createDatabase(),
    dsn: (database) => postgres.dsn(database),
    sql: (sql, database) => postgres.query(sql, database),
    store: (dsn, recheckMs) => storeAt(dsn, recheckMs === undefined ? {} : { recheckMs }),
    alter: 'ALTER TABLE audit_events ALTER details TYPE VARCHAR(10)',
    mend: 'ALTER TABLE audit_events ALTER details TYPE TEXT COLLATE "C"',
    details: LONG,
    why: 'its column details is character varying(10), and a record may take 65535',
  },
  'on MariaDB, to a character set without the characters': {
    database: () => mariadb.createDatabase(),
    dsn: (database) => mariadb.dsn(database),
    sql: (sql, database) => mariadb.sql(sql, database),
    store: (dsn, recheckMs) => storeOn(dsn, recheckMs === undefined ? {} : { recheckMs }),
    alter: 'ALTER TABLE audit_events MODIFY details MEDIUMTEXT CHARACTER SET latin1',
    mend: 'ALTER TABLE audit_events MODIFY details MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin',
    details: JAPANESE,
    why: 'details does not compare by bytes: its collation is none of utf8mb4_0900_bin,utf8mb4_nopad_bin',
  },
};

describe.each(Object.entries(CASES))('%s', (_, each) => {
  it('keeps a record that is refused, and stores it when the table is mended', async () => {
    const database = await each.database();
    await using sidecar = await startSidecar({ STORAGE_DSN: each.dsn(database) });
    await sidecar.storage('up');
    await each.sql(each.alter, database);
    const record = { ...RECORD, event_id: 'kept', details: each.details };
    expect((await postAudit(sidecar.api, record)).status).toBe(202);
    const { reason } = await sidecar.storage('down');
    expect(reason).toContain(each.why);
    await each.sql(each.mend, database);
    await sidecar.storage('up');
    const listed = async () =>
      (await (await fetch(`${sidecar.api}/v1/audit-events`)).json()) as unknown;
    await expect.poll(listed).toMatchObject({ items: [record] });
  });

  it('is told by a trial write, and after a while by an append', async () => {
    const dsn = each.dsn(await each.database());
    const database = dsn.replace(/^.*\/(\w+).*$/, '$1');
    const sound = each.store(dsn);
    const watchful = each.store(dsn, 0);
    await sound.open();
    await watchful.open();
    await each.sql(each.alter, database);
    const fits = () => rowsOf(AUDIT_EVENT, 1, () => ({ details: 'short' }));
    await expect(watchful.append(fits())).rejects.toMatchObject(unusable(each.why));
    // A look at each batch would be too dear.
    expect(await sound.append(fits())).toEqual({ duplicates: [] });
    await expect(sound.probe?.()).rejects.toMatchObject(unusable(each.why));
    for (const store of [sound, watchful]) {
      await expect(store.open()).rejects.toThrow(each.why);
    }
    await each.sql(each.mend, database);
    for (const store of [sound, watchful]) {
      await store.open();
      expect(await store.append(fits())).toEqual({ duplicates: [] });
      await store.close(AbortSignal.timeout(1_000));
    }
  });
});
