import { expect, it } from 'vitest';
import { AUDIT_EVENT } from '../../../sidecar/src/records/kinds.ts';
import type { Rows } from '../../../sidecar/src/records/rows.ts';
import { startMariadb } from '../support/mariadb-server.ts';
import { readAll, rowsOf, storeOn } from './harness.ts';

const again = ({ bytes, count }: Rows): Rows => ({ bytes: Buffer.from(bytes), count });

it.for([
  ['as it is', ''],
  ['emptied', "UPDATE agenttier_meta SET value = '' WHERE `key` = 'written_by'"],
  ['without a value', "UPDATE agenttier_meta SET value = NULL WHERE `key` = 'written_by'"],
  ['deleted', "DELETE FROM agenttier_meta WHERE `key` = 'written_by'"],
])(
  'flushes what it calls stored already, with its row of agenttier_meta %s',
  async ([, change]) => {
    await using own = await startMariadb({
      // The background thread would flush once a second.
      args: ['--innodb-flush-log-at-timeout=2700', '--skip-log-bin'],
    });
    const database = await own.createDatabase();
    {
      await using owner = storeOn(own.dsn(database));
      await owner.open();
    }
    if (change) await own.sql(change, database);
    const meta = () => own.sql('SELECT * FROM agenttier_meta ORDER BY `key`', database);
    const before = await meta();
    await own.sql(
      `CREATE USER least@'%' IDENTIFIED BY 'pw';
     GRANT SELECT, INSERT, UPDATE ON ${database}.* TO least@'%'`,
    );
    await using store = storeOn(own.dsn(database, 'least:pw'));
    await store.open();
    // As after a COMMIT that was cut off in its flush: visible, and in the log's buffer alone.
    await own.sql('SET GLOBAL innodb_flush_log_at_trx_commit = 0');
    const rows = rowsOf(AUDIT_EVENT, 2);
    await store.append(again(rows));
    await own.sql('SET GLOBAL innodb_flush_log_at_trx_commit = 1');
    expect(await store.append(again(rows))).toEqual({ duplicates: [0, 1] });
    await own.kill();
    await own.start();
    await store.open();
    expect(await readAll(store)).toHaveLength(2);
    const { length } = before.filter(({ value }) => value !== null);
    if (length === 3) expect(await meta()).toEqual(before);
  },
);
