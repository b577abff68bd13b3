import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { withStorageChecked } from '../../../sidecar/src/config/check-storage.ts';
import { type Environment, loadConfig } from '../../../sidecar/src/config/config.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const files: Record<string, string> = {
  '/dsn/postgres': 'postgres://u:p@db/x\n',
  '/dsn/blank': ' \n',
};

function read(path: string): string {
  const text = files[path];
  if (text === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' });
  return text;
}

const load = (env: Environment) => loadConfig(env, read);

/** What `--check` would say. */
function checked(env: Environment) {
  const { errors, warnings } = withStorageChecked(load(env), read);
  return { errors, warnings };
}

/** The driver, and why it is unusable if it is. */
function chosen(env: Environment): { driver: string; unusable?: string } {
  const { storage } = load(env).config;
  return 'unusable' in storage ? storage : { driver: storage.driver };
}

describe('storage is chosen', () => {
  it('as none, without a word, where no variable selects one', () => {
    expect(load({})).toMatchObject({
      config: { storage: { driver: 'none' } },
      errors: [],
      warnings: [],
    });
  });

  it('as none where all of them are empty', () => {
    const env = {
      STORAGE_DRIVER: '',
      STORAGE_SQLITE_PATH: '',
      STORAGE_DSN: '',
      STORAGE_DSN_FILE: '',
    };
    expect(load(env)).toMatchObject({ config: { storage: { driver: 'none' } }, errors: [] });
  });

  it('as sqlite by its path, with or without the driver', () => {
    const path = 'dir with spaces/größe.db';
    const storage = { driver: 'sqlite', path };
    expect(load({ STORAGE_SQLITE_PATH: path }).config.storage).toEqual(storage);
    const both = { STORAGE_SQLITE_PATH: path, STORAGE_DRIVER: 'sqlite' };
    expect(load(both).config.storage).toEqual(storage);
    expect(load(both).errors).toEqual([]);
  });

  it.for([
    [{ STORAGE_SQLITE_PATH: '/a.db' }, 'STORAGE_SQLITE_PATH'],
    [{ STORAGE_DSN: 'postgres://u:p@db/x' }, 'STORAGE_DSN'],
    [{ STORAGE_DSN_FILE: '/dsn/postgres' }, 'STORAGE_DSN_FILE'],
  ] as const)('as none beside a path or a DSN, with a warning', ([env, name]) => {
    const { config, errors, warnings } = load({ ...env, STORAGE_DRIVER: 'none' });
    expect(config.storage).toEqual({ driver: 'none' });
    expect(errors).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining(name)]);
  });

  it.for([
    ['postgres://u:p@db/x', 'postgres'],
    ['postgresql://u:p@db/x', 'postgres'],
    ['POSTGRES://u:p@db/x', 'postgres'],
    ['mysql://u:p@db/x', 'mysql'],
    ['mariadb://u:p@db/x', 'mysql'],
    ['host=db user=u password=p', 'postgres'],
    [' host = db user=u', 'postgres'],
    ['u:p@tcp(db:3306)/x?tls=true', 'mysql'],
    ['u://p@tcp(db:3306)/x', 'mysql'],
    ['u@unix(/run/mysqld.sock)/x', 'mysql'],
  ] as const)('by the form of a DSN: %s is for %s', ([dsn, driver]) => {
    const { config, errors, warnings } = load({ STORAGE_DSN: dsn });
    expect(config.storage).toEqual({ driver, places: { dsn, dsnFile: undefined } });
    expect([...errors, ...warnings]).toEqual([]);
  });

  it('by the driver where the form of the DSN leaves it open', () => {
    const env = { STORAGE_DSN: 'a=b@/x', STORAGE_DRIVER: 'mysql' };
    expect(chosen(env)).toEqual({ driver: 'mysql' });
    expect(chosen({ STORAGE_DSN: 'a=b@/x' }).driver).toBe('postgres');
  });
});

describe('storage is down', () => {
  it.for([
    [
      'both are set',
      { STORAGE_SQLITE_PATH: '/a.db', STORAGE_DSN: 'mysql://u:p@db/x' },
      'unknown',
      ['STORAGE_SQLITE_PATH', 'STORAGE_DSN'],
    ],
    [
      'both are set, though the driver decides',
      { STORAGE_SQLITE_PATH: '/a.db', STORAGE_DSN_FILE: '/dsn/postgres', STORAGE_DRIVER: 'sqlite' },
      'sqlite',
      ['STORAGE_SQLITE_PATH', 'STORAGE_DSN_FILE'],
    ],
    [
      'a driver lacks its path',
      { STORAGE_DRIVER: 'sqlite' },
      'sqlite',
      ['STORAGE_DRIVER is sqlite', 'STORAGE_SQLITE_PATH is not set'],
    ],
    [
      'a driver lacks its path, and a DSN is set',
      { STORAGE_DRIVER: 'sqlite', STORAGE_DSN: 'mysql://u:p@db/x' },
      'sqlite',
      ['STORAGE_SQLITE_PATH is not set', 'STORAGE_DSN is'],
    ],
    [
      'a driver lacks its DSN',
      { STORAGE_DRIVER: 'mysql' },
      'mysql',
      ['STORAGE_DSN', 'STORAGE_DSN_FILE'],
    ],
    [
      'a driver differs from the path',
      { STORAGE_DRIVER: 'postgres', STORAGE_SQLITE_PATH: '/a.db' },
      'postgres',
      ['STORAGE_DRIVER is postgres', 'STORAGE_SQLITE_PATH'],
    ],
    [
      "a driver differs from the DSN's scheme",
      { STORAGE_DRIVER: 'mysql', STORAGE_DSN: 'postgres://u:p@db/x' },
      'mysql',
      ['STORAGE_DSN is for postgres by its scheme', 'STORAGE_DRIVER is mysql'],
    ],
    [
      'the driver is not known',
      { STORAGE_DRIVER: 'oracle', STORAGE_SQLITE_PATH: '/a.db' },
      'unknown',
      ['STORAGE_DRIVER is "oracle"', 'none, sqlite, postgres, mysql'],
    ],
    ['the driver is blank', { STORAGE_DRIVER: ' ' }, 'unknown', ['STORAGE_DRIVER']],
    ['the path is blank', { STORAGE_SQLITE_PATH: ' ' }, 'sqlite', ['STORAGE_SQLITE_PATH is blank']],
    ['the path ends in a newline', { STORAGE_SQLITE_PATH: '/a.db\n' }, 'sqlite', ['white space']],
    ['the path begins with a blank', { STORAGE_SQLITE_PATH: ' /a.db' }, 'sqlite', ['white space']],
    ['the path is a directory', { STORAGE_SQLITE_PATH: '/data/' }, 'sqlite', ['a directory']],
    [
      'the path is no file',
      { STORAGE_SQLITE_PATH: ':memory:' },
      'sqlite',
      [':memory:', 'keeps nothing'],
    ],
    [
      'the path is a DSN in another form',
      { STORAGE_SQLITE_PATH: 'u:p@tcp(db:3306)/x' },
      'sqlite',
      ['a DSN by its look'],
    ],
    [
      "the path is a DSN in Go's short form",
      { STORAGE_SQLITE_PATH: 'u:hunter2@/x' },
      'sqlite',
      ['a DSN by its look'],
    ],
    [
      'the path is a DSN with its host alone',
      { STORAGE_SQLITE_PATH: 'u:hunter2@db/x' },
      'sqlite',
      ['a DSN by its look'],
    ],
    [
      'the path is a DSN behind a blank',
      { STORAGE_SQLITE_PATH: ' postgres://u:hunter2@db/x' },
      'sqlite',
      ['a URL', 'STORAGE_DSN'],
    ],
    [
      'the path is a DSN',
      { STORAGE_SQLITE_PATH: 'postgres://u:hunter2@db/x' },
      'sqlite',
      ['a URL', 'STORAGE_DSN'],
    ],
    ['the DSN is blank', { STORAGE_DSN: ' ' }, 'unknown', ['STORAGE_DSN is blank']],
    [
      "the DSN's scheme is not known",
      { STORAGE_DSN: 'oracle://u:p@db/x' },
      'unknown',
      ['the DSN in STORAGE_DSN begins with a scheme'],
    ],
  ] as const)('where %s', ([, env, driver, words]) => {
    const storage = chosen(env);
    expect(storage.driver).toBe(driver);
    for (const word of words) expect(storage.unusable).toContain(word);
    expect(load(env).errors).toEqual([`storage is down: ${storage.unusable}`]);
    expect(storage.unusable).not.toMatch(/hunter2|u:p/);
  });
});

describe('a DSN in a file', () => {
  const mysql = 'mysql://u:p@db/x';

  it('tells the driver, and goes before the one in the environment', () => {
    const env = { STORAGE_DSN: mysql, STORAGE_DSN_FILE: '/dsn/postgres' };
    expect(load(env).config.storage).toEqual({
      driver: 'postgres',
      places: { dsn: mysql, dsnFile: '/dsn/postgres' },
    });
    expect(checked(env)).toEqual({ errors: [], warnings: [] });
  });

  it.for(['/dsn/blank', '/dsn/missing'])(
    'gives way to it where it is %s, which --check tells',
    (path) => {
      const env = { STORAGE_DSN: mysql, STORAGE_DSN_FILE: path };
      expect(load(env).config.storage.driver).toBe('mysql');
      expect(checked(env).warnings).toEqual([expect.stringContaining('STORAGE_DSN is used')]);
    },
  );

  it.for([
    [{ STORAGE_DSN_FILE: '/dsn/missing' }, 'unknown', 'ENOENT'],
    [{ STORAGE_DSN_FILE: '/dsn/missing', STORAGE_DSN: ' ' }, 'unknown', 'ENOENT'],
    [{ STORAGE_DSN_FILE: '/dsn/blank', STORAGE_DRIVER: 'postgres' }, 'postgres', 'is blank'],
    [{ STORAGE_DSN_FILE: '/dsn/postgres', STORAGE_DRIVER: 'mysql' }, 'mysql', 'for postgres'],
    [{ STORAGE_DSN_FILE: '/dsn/missing', STORAGE_DSN: 'mysql://db' }, 'mysql', 'no user'],
  ] as const)('may be mended, so it is never unusable: %j', ([env, driver, problem]) => {
    expect(chosen(env)).toEqual({ driver });
    expect(load(env).errors).toEqual([]);
    expect(checked(env).errors).toEqual([expect.stringContaining(problem)]);
    expect(checked(env).errors).toEqual([expect.stringContaining('storage is down: ')]);
  });

  it('is read from a real file, and from nothing that could block or be huge', async () => {
    await using directory = await temporaryDirectory();
    const path = directory.path('dsn');
    writeFileSync(path, 'mariadb://u:p@db/x\n');
    expect(loadConfig({ STORAGE_DSN_FILE: path }).config.storage.driver).toBe('mysql');

    mkdirSync(directory.path('directory'));
    execFileSync('mkfifo', [directory.path('fifo')]);
    writeFileSync(directory.path('huge'), 'x'.repeat(70_000));
    for (const name of ['directory', 'fifo', 'huge', 'missing']) {
      const loaded = withStorageChecked(loadConfig({ STORAGE_DSN_FILE: directory.path(name) }));
      expect(loaded.config.storage.driver).toBe('unknown');
      expect(loaded.errors).toEqual([expect.stringContaining('cannot be read')]);
    }
  });
});

describe('--check', () => {
  it('tells keys without effect, and certificates that cannot be read', () => {
    const STORAGE_DSN = 'postgres://u:hunter2@db/x?pool_max_conns=3&sslrootcert=/no/hunter2';
    const { errors, warnings } = checked({ STORAGE_DSN });
    expect(warnings).toEqual([expect.stringContaining('pool_max_conns')]);
    expect(errors).toEqual([expect.stringContaining('certificate authority')]);
    expect([...errors, ...warnings].join()).not.toContain('hunter2');
  });
});
