import { rename, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts';
import { postAudit, RECORD } from '../support/post.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { startSidecar } from '../support/sidecar-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { chartEnvironment } from './support/chart-environment.ts';
import { expectRoundTrip } from './support/round-trip.ts';

/** Holds what each form quotes in its own way. */
const PASSWORD = "p@s:s/w%41?&'rd\\";
const ENCODED = encodeURIComponent(PASSWORD);
const QUOTED = PASSWORD.replaceAll(/['\\]/g, '\\$&');

interface Place {
  readonly port: number;
  readonly database: string;
}

type Forms = Readonly<Record<string, (place: Place) => string>>;

const POSTGRES_FORMS: Forms = {
  'a URL (postgres)': ({ port, database }) =>
    `postgres://writer:${ENCODED}@127.0.0.1:${port}/${database}?sslmode=disable`,
  'a URL (postgresql)': ({ port, database }) =>
    `postgresql://writer:${ENCODED}@127.0.0.1:${port}/${database}?application_name=history`,
  "libpq's keywords": ({ port, database }) =>
    `host=127.0.0.1 port=${port} user=writer password='${QUOTED}' dbname = ${database}`,
};

const MYSQL_FORMS: Forms = {
  'a URL (mysql)': ({ port, database }) =>
    `mysql://writer:${ENCODED}@127.0.0.1:${port}/${database}`,
  'a URL (mariadb)': ({ port, database }) =>
    `mariadb://writer:${ENCODED}@127.0.0.1:${port}/${database}?ssl-mode=DISABLED`,
  "Go's form": ({ port, database }) =>
    `writer:${PASSWORD}@tcp(127.0.0.1:${port})/${database}?parseTime=true`,
};

/** A real server whose user `writer` may make tables in databases of its own. */
interface ServerPlace {
  readonly port: () => number;
  readonly database: () => Promise<string>;
  readonly setPassword: (password: string) => Promise<void>;
}

/** The forms of a driver, on its server. */
function formsOn(driver: 'postgres' | 'mysql', forms: Forms, server: ServerPlace): void {
  it.for(Object.keys(forms))(
    '%s leads to storage from the chart, by variable and by file',
    async (form) => {
      await using directory = await temporaryDirectory();
      const place = { port: server.port(), database: await server.database() };
      const dsn = (forms[form] as (place: Place) => string)(place);
      const file = directory.path('dsn');

      // A Secret that was there at the start is in the variable; a file would go first.
      const early = await chartEnvironment(driver, { directory: directory.root, dsn: `${dsn}\n` });
      expect(early).toMatchObject({ STORAGE_DRIVER: driver, STORAGE_DSN_FILE: file });
      {
        await using sidecar = await startSidecar(early);
        await expectRoundTrip(sidecar);
        expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
      }

      // One that comes later is in the file alone.
      const late = await chartEnvironment(driver, { directory: directory.root, dsn: undefined });
      expect(late).not.toHaveProperty('STORAGE_DSN');
      await using sidecar = await startSidecar(late);
      await sidecar.storage('down');
      await writeFile(file, `${dsn}\n`);
      await expectRoundTrip(sidecar);
      expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
    },
  );

  it('a password that is rotated in the file heals without a restart', async () => {
    await using directory = await temporaryDirectory();
    const place = { port: server.port(), database: await server.database() };
    const [form = () => ''] = Object.values(forms);
    const file = directory.path('dsn');
    await writeFile(file, form(place));
    // The variable keeps what the Secret was when the container started.
    const env = await chartEnvironment(driver, { directory: directory.root, dsn: form(place) });
    await using sidecar = await startSidecar(env);
    await expectRoundTrip(sidecar);

    try {
      await server.setPassword('rotated');
      const meanwhile = { ...RECORD, event_id: `meanwhile-${driver}` };
      expect((await postAudit(sidecar.api, meanwhile)).status).toBe(202);
      await sidecar.storage('down');
      await expect
        .poll(async () => (await sidecar.readiness()).reason, { timeout: 15_000 })
        .toMatch(/refuses (the )?user|password/);

      // As the kubelet does it: the whole file at once.
      await writeFile(`${file}.new`, form(place).replace(ENCODED, 'rotated'));
      await rename(`${file}.new`, file);
      await expectRoundTrip(sidecar);
      const listed = await fetch(`${sidecar.api}/v1/audit-events?event_id=${meanwhile.event_id}`);
      expect(await listed.json()).toMatchObject({ items: [meanwhile] });
    } finally {
      await server.setPassword(PASSWORD);
    }
  });
}

describe('on Postgres', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start({ version: 15 });
    await server.query(`CREATE ROLE writer LOGIN PASSWORD '${PASSWORD.replaceAll("'", "''")}'`);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  formsOn('postgres', POSTGRES_FORMS, {
    port: () => server.port,
    database: () => server.createDatabase('writer'),
    async setPassword(password) {
      await server.query(`ALTER ROLE writer PASSWORD '${password.replaceAll("'", "''")}'`);
      await server.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'writer'",
      );
    },
  });
});

describe('on MariaDB', () => {
  let server: MariadbServer;
  const quoted = (password: string) => `'${password.replaceAll(/['\\]/g, '\\$&')}'`;
  beforeAll(async () => {
    server = await startMariadb();
    await server.sql(`CREATE USER writer IDENTIFIED BY ${quoted(PASSWORD)}`);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  formsOn('mysql', MYSQL_FORMS, {
    port: () => server.port,
    async database() {
      const database = await server.createDatabase();
      await server.sql(
        `GRANT SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX ON ${database}.* TO writer`,
      );
      return database;
    },
    async setPassword(password) {
      await server.sql(`SET PASSWORD FOR writer = PASSWORD(${quoted(password)}); KILL USER writer`);
    },
  });
});
