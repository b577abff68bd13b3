import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { type SidecarProcess, startSidecar } from '../support/sidecar-process.ts';

const CANARY = 'QXZcanary7391';

/** A rule that somebody gave the tables, and what the log says of the record that it refuses. */
interface Rule {
  readonly sql: string;
  readonly path: 'audit-events' | 'sandbox-events' | 'cost-snapshots';
  readonly record: Readonly<Record<string, string | number>>;
  readonly told: RegExp;
}

const audit = { action: 'create', resource: 'sandbox' };
const event = { sandbox_id: 'sbx-1', phase: 'Running' };

/** The server's own message quotes the value in each of these. */
const ON_POSTGRES: Readonly<Record<string, Rule>> = {
  'a CHECK constraint': {
    sql: `ALTER TABLE audit_events ADD CONSTRAINT no_actor CHECK (actor NOT LIKE 'QXZ%')`,
    path: 'audit-events',
    record: { ...audit, actor: CANARY },
    told: /SQLSTATE 23514, constraint no_actor, table audit_events/,
  },
  'a unique index of somebody else': {
    sql: `CREATE UNIQUE INDEX one_name ON sandbox_events (sandbox_name) WHERE sandbox_name <> '';
      INSERT INTO sandbox_events (ts, sandbox_name) VALUES ('', '${CANARY}')`,
    path: 'sandbox-events',
    record: { ...event, sandbox_name: CANARY },
    told: /SQLSTATE 23505, constraint one_name, table sandbox_events/,
  },
  'a trigger that reads a text as a number': {
    sql: `CREATE FUNCTION read_number() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF new.details <> '' THEN PERFORM new.details::integer; END IF; RETURN new; END $$;
      CREATE TRIGGER read_number BEFORE INSERT ON audit_events
      FOR EACH ROW EXECUTE FUNCTION read_number()`,
    path: 'audit-events',
    record: { ...audit, details: CANARY },
    told: /SQLSTATE 22P02/,
  },
  'a trigger that raises with the value': {
    sql: `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF new.namespace <> '' THEN RAISE 'not %', new.namespace USING ERRCODE = '23000',
        DETAIL = new.namespace, HINT = new.namespace; END IF; RETURN new; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON cost_snapshots FOR EACH ROW EXECUTE FUNCTION refuse()`,
    path: 'cost-snapshots',
    record: { sandbox_id: 'sbx-1', namespace: CANARY },
    told: /SQLSTATE 23000/,
  },
};

const ON_MARIADB: Readonly<Record<string, Rule>> = {
  'a CHECK constraint': {
    sql: `ALTER TABLE audit_events ADD CONSTRAINT no_actor CHECK (actor NOT LIKE 'QXZ%')`,
    path: 'audit-events',
    record: { ...audit, actor: CANARY },
    told: /a CHECK constraint refuses the row \(.*4025\)/,
  },
  'a trigger that raises with the value': {
    sql: `CREATE TRIGGER refuse BEFORE INSERT ON cost_snapshots FOR EACH ROW
      IF new.namespace LIKE 'QXZ%' THEN
        SET @told = CONCAT('not ', new.namespace);
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @told;
      END IF`,
    path: 'cost-snapshots',
    record: { sandbox_id: 'sbx-1', namespace: CANARY },
    told: /a trigger refuses the row \(.*1644\)/,
  },
};

/** What somebody made of a column, which is then no longer ours to use, and what mends it. */
interface Altered {
  readonly sql: string;
  readonly mend: string;
  readonly record: Readonly<Record<string, string>>;
  readonly told: RegExp;
}

const ALTERED_ON_POSTGRES: Readonly<Record<string, Altered>> = {
  'a column that was made too short': {
    sql: 'ALTER TABLE sandbox_events ALTER reason TYPE VARCHAR(13)',
    mend: 'ALTER TABLE sandbox_events ALTER reason TYPE TEXT COLLATE "C"',
    record: { ...event, reason: `${CANARY}-longer` },
    told: /its column reason is character varying\(13\)/,
  },
};

const ALTERED_ON_MARIADB: Readonly<Record<string, Altered>> = {
  'a column that was made too short': {
    sql: 'ALTER TABLE sandbox_events MODIFY reason VARCHAR(13) COLLATE utf8mb4_nopad_bin',
    mend: 'ALTER TABLE sandbox_events MODIFY reason TEXT COLLATE utf8mb4_nopad_bin',
    record: { ...event, reason: `${CANARY}-longer` },
    told: /reason holds less than 1024 bytes/,
  },
  'a column that was made a number': {
    sql: 'ALTER TABLE sandbox_events MODIFY message INT NOT NULL DEFAULT 0',
    mend: 'ALTER TABLE sandbox_events MODIFY message MEDIUMTEXT COLLATE utf8mb4_nopad_bin NOT NULL',
    record: { ...event, message: CANARY },
    told: /does not fit its column \(.*(1366|1265|1292)\)|message is not a TEXT/,
  },
};

async function post(sidecar: SidecarProcess, path: string, records: unknown) {
  const response = await fetch(`${sidecar.api}/v1/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'wait' },
    body: JSON.stringify(records),
  });
  return { status: response.status, text: await response.text() };
}

interface Place {
  readonly dsn: string;
  readonly sql: (text: string) => Promise<unknown>;
}

function secretsOn(rules: Readonly<Record<string, Rule>>, place: () => Promise<Place>): void {
  it.for(Object.entries(rules))(
    'a record that %s refuses is dropped alone, and nothing tells what it held',
    async ([, { sql, path, record, told }]) => {
      const { dsn, sql: run } = await place();
      await using sidecar = await startSidecar({ STORAGE_DSN: dsn, STORAGE_LOG_LEVEL: 'trace' });
      await sidecar.storage('up');
      await run(sql);
      const fields = Object.entries(record).map(([name, value]) =>
        String(value).includes(CANARY) ? [name, ''] : [name, value],
      );
      const good = () => ({ ...Object.fromEntries(fields), event_id: randomUUID() });
      const batch = [good(), good(), { ...record, event_id: randomUUID() }, good()];
      const posted = await post(sidecar, path, batch);
      const line = await sidecar.log(({ msg }) => msg.startsWith('the database refused a record'));
      expect(line.reason).toMatch(told);
      const answer = JSON.parse(posted.text);
      expect(answer).toMatchObject({ stored: 3, rejected_count: 1, rejected: [{ index: 2 }] });

      const readiness = await sidecar.readiness();
      expect(readiness).toMatchObject({ storage: 'up', reason: null });
      const metrics = await (await fetch(`${sidecar.ops}/metrics`)).text();
      const dropped = /records_dropped_total\{.*reason="refused".*\} 1$/m;
      expect(metrics).toMatch(dropped);
      const listed = await fetch(`${sidecar.api}/v1/${path}?limit=9&since=1h`);
      const items = await listed.text();
      await sidecar.stop();
      const all = [posted.text, items, metrics, JSON.stringify(readiness), sidecar.stray];
      expect(all.join('\n') + JSON.stringify(sidecar.logs)).not.toContain(CANARY);
    },
  );
}

function keptOn(alterations: Readonly<Record<string, Altered>>, place: () => Promise<Place>): void {
  it.for(Object.entries(alterations))(
    'a record that %s refuses is kept until it is mended, and nothing tells what it held',
    async ([, { sql, mend, record, told }]) => {
      const { dsn, sql: run } = await place();
      await using sidecar = await startSidecar({ STORAGE_DSN: dsn, STORAGE_LOG_LEVEL: 'trace' });
      await sidecar.storage('up');
      await run(sql);
      const posted = post(sidecar, 'sandbox-events', record);
      const { reason } = await sidecar.storage('down');
      expect(reason).toMatch(told);
      await run(mend);
      await sidecar.storage('up');
      expect((await posted).status).toBe(201);
      await sidecar.stop();
      const all = [reason, (await posted).text, sidecar.stray, JSON.stringify(sidecar.logs)];
      expect(all.join('\n')).not.toContain(CANARY);
    },
  );
}

describe('on Postgres', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start({ version: 15 });
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const place = async (): Promise<Place> => {
    const database = await server.createDatabase();
    return { dsn: server.dsn(database), sql: (text) => server.query(text, database) };
  };
  secretsOn(ON_POSTGRES, place);
  keptOn(ALTERED_ON_POSTGRES, place);

  it('an error that is unknown is tried again without a word of what it quotes', async () => {
    const { dsn, sql } = await place();
    await using sidecar = await startSidecar({ STORAGE_DSN: dsn, STORAGE_LOG_LEVEL: 'trace' });
    await sidecar.storage('up');
    await sql(`CREATE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF new.actor <> '' THEN RAISE 'not %', new.actor USING ERRCODE = 'ZZ001'; END IF; RETURN new; END $$;
      CREATE TRIGGER raise BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION raise()`);
    const posted = post(sidecar, 'audit-events', { ...audit, actor: CANARY });
    const { reason } = await sidecar.storage('down');
    expect(reason).toContain('SQLSTATE ZZ001');
    await sql('DROP TRIGGER raise ON audit_events');
    await sidecar.storage('up');
    expect((await posted).status).toBe(201);
    await sidecar.stop();
    const told = [reason, (await posted).text, sidecar.stray, JSON.stringify(sidecar.logs)];
    expect(told.join('\n')).not.toContain(CANARY);
  });
});

describe('on MariaDB', () => {
  let server: MariadbServer;
  beforeAll(async () => {
    server = await startMariadb();
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const place = async (): Promise<Place> => {
    const database = await server.createDatabase();
    return { dsn: server.dsn(database), sql: (text) => server.sql(text, database) };
  };
  secretsOn(ON_MARIADB, place);

  keptOn(ALTERED_ON_MARIADB, place);
});
