import { describe, expect, it } from 'vitest';
import { parseDsn } from '../../../sidecar/src/config/dsn/parse-dsn.ts';
import type { ServerDsn } from '../../../sidecar/src/config/server-dsn.ts';

const PREFER = [
  { tls: true, verify: 'none', ca: undefined, cert: undefined, key: undefined },
  { tls: false },
];

const POSTGRES = {
  driver: 'postgres',
  hosts: [{ host: 'db', port: 5432 }],
  user: 'me',
  password: '',
  database: 'app',
  tls: PREFER,
  connectTimeout: undefined,
  applicationName: undefined,
  schema: undefined,
  readWrite: false,
  warnings: [],
};

const MYSQL = {
  ...POSTGRES,
  driver: 'mysql',
  hosts: [{ host: 'db', port: 3306 }],
};

const GO = { ...MYSQL, tls: [{ tls: false }] };

type Case = readonly [dsn: string, differs: Partial<Record<keyof ServerDsn, unknown>>];

describe('a Postgres URL', () => {
  it.for<Case>([
    ['postgres://me@db/app', {}],
    ['postgresql://me@db/app', {}],
    ['POSTGRES://me@db/app', {}],
    ['\uFEFF postgres://me@db/app\r\n', {}],
    ['postgres://me@db', { database: 'me' }],
    ['postgres://me@db/', { database: 'me' }],
    ['postgres://me:@db/app', { password: '' }],
    ['postgres://me:p%40%2F%3A%25%20%C3%A9@db/app', { password: 'p@/:% é' }],
    ['postgres://me:a+b@db/app', { password: 'a+b' }],
    ['postgres://me:p@ss:word@db/app', { password: 'p@ss:word' }],
    ['postgres://me:p#1@db/app', { password: 'p#1' }],
    ['postgres://m%40e@db/a%2Fp', { user: 'm@e', database: 'a/p' }],
    ['postgres://me@db:6432/app', { hosts: [{ host: 'db', port: 6432 }] }],
    ['postgres://me@db:/app', {}],
    ['postgres://me@/app', { hosts: [{ host: 'localhost', port: 5432 }] }],
    ['postgres:///app?user=me', { hosts: [{ host: 'localhost', port: 5432 }] }],
    ['postgres://me@[::1]/app', { hosts: [{ host: '::1', port: 5432 }] }],
    ['postgres://me@[fe80::1%25eth0]:1/app', { hosts: [{ host: 'fe80::1%eth0', port: 1 }] }],
    [
      'postgres://me@a:1,[::2]:2,c/app',
      {
        hosts: [
          { host: 'a', port: 1 },
          { host: '::2', port: 2 },
          { host: 'c', port: 5432 },
        ],
      },
    ],
    [
      'postgres://me@%2Fvar%2Frun%2Fpostgresql/app',
      { hosts: [{ socket: '/var/run/postgresql', port: 5432 }] },
    ],
    [
      'postgres://me@/app?host=/var/run/postgresql',
      { hosts: [{ socket: '/var/run/postgresql', port: 5432 }] },
    ],
    ['postgres://me@:5433/app?host=%2Frun', { hosts: [{ socket: '/run', port: 5433 }] }],
    [
      'postgres://me@/app?host=a,b&port=1,2',
      {
        hosts: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
      },
    ],
    ['postgres://db/app?user=me&password=x%26y', { password: 'x&y' }],
    ['postgres://me@db/?dbname=app', {}],
    ['postgres://me@db/app?application_name=a%20b', { applicationName: 'a b' }],
    ['postgres://me@db/app?fallback_application_name=f', { applicationName: 'f' }],
    ['postgres://me@db/app?connect_timeout=3', { connectTimeout: 3_000 }],
    ['postgres://me@db/app?connect_timeout=0', {}],
    ['postgres://me@db/app?target_session_attrs=read-write', { readWrite: true }],
    ['postgres://me@db/app?target_session_attrs=primary', { readWrite: true }],
    ['postgres://me@db/app?target_session_attrs=any', {}],
    ['postgres://me@db/app?search_path=hist', { schema: 'hist' }],
    ['postgres://me@db/app?search_path=Hist', { schema: 'hist' }],
    ['postgres://me@db/app?search_path=%C3%84RZTE', { schema: 'Ärzte' }],
    ['postgres://me@db/app?search_path=%22Hi%22%22st%22', { schema: 'Hi"st' }],
    ['postgres://me@db/app?options=-c%20search_path%3Dhist', { schema: 'hist' }],
    ['postgres://me@db/app?options=-csearch_path%3Dhist', { schema: 'hist' }],
    ['postgres://me@db/app?options=--search-path%3Dhist', { schema: 'hist' }],
    ['postgres://me@db/app?channel_binding=prefer&gssencmode=disable&sslcertmode=allow', {}],
  ])('%s', ([dsn, differs]) => {
    expect(parseDsn(dsn, undefined)).toEqual({ ...POSTGRES, ...differs });
    expect(parseDsn(dsn, 'postgres')).toEqual({ ...POSTGRES, ...differs });
  });
});

describe('the keyword form', () => {
  it.for<Case>([
    ['host=db user=me dbname=app', {}],
    [' host = db  user= me dbname =app\n', {}],
    ["host='db' user='me' dbname='a\\'p\\\\p'", { database: "a'p\\p" }],
    ['host=db\nuser=me\ndbname=app\npassword=p\\ w\n', { password: 'p w' }],
    ["host=db user=me dbname=app password=''", {}],
    ["host=db user=me dbname=app password='p=w d'", { password: 'p=w d' }],
    ['host=db user=me', { database: 'me' }],
    ['user=me dbname=app', { hosts: [{ host: 'localhost', port: 5432 }] }],
    ['hostaddr=10.0.0.1 user=me dbname=app', { hosts: [{ host: '10.0.0.1', port: 5432 }] }],
    ['host=::1 user=me dbname=app', { hosts: [{ host: '::1', port: 5432 }] }],
    ['host=/run port=5433 user=me dbname=app', { hosts: [{ socket: '/run', port: 5433 }] }],
    [
      'host=a,b port=7 user=me dbname=app',
      {
        hosts: [
          { host: 'a', port: 7 },
          { host: 'b', port: 7 },
        ],
      },
    ],
  ])('%s', ([dsn, differs]) => {
    expect(parseDsn(dsn, 'postgres')).toEqual({ ...POSTGRES, ...differs });
    expect(parseDsn(dsn, undefined)).toEqual({ ...POSTGRES, ...differs });
  });
});

describe("Go's MySQL form", () => {
  it.for<Case>([
    ['me@tcp(db:3306)/app', {}],
    ['me@tcp(db)/app\n', {}],
    ['me:p:w@tcp(db)/app', { password: 'p:w' }],
    ['me:p@ss/w%20d@tcp(db)/app', { password: 'p@ss/w%20d' }],
    ['me://x@tcp(db)/app', { password: '//x' }],
    ['me@tcp(db)/a%2Fp', { database: 'a/p' }],
    ['me@/app', { hosts: [{ host: 'localhost', port: 3306 }] }],
    ['me@tcp/app', { hosts: [{ host: 'localhost', port: 3306 }] }],
    ['me@tcp([::1]:3307)/app', { hosts: [{ host: '::1', port: 3307 }] }],
    ['me@tcp([::1])/app', { hosts: [{ host: '::1', port: 3306 }] }],
    ['me@unix(/run/my/s.sock)/app', { hosts: [{ socket: '/run/my/s.sock', port: 3306 }] }],
    ['me@tcp(db)/app?timeout=1m30s', { connectTimeout: 90_000 }],
    ['me@tcp(db)/app?timeout=500ms', { connectTimeout: 500 }],
    ['me@tcp(db)/app?rejectReadOnly=true', { readWrite: true }],
    ['me@tcp(db)/app?allowAllFiles=false&charset=utf8mb4', {}],
  ])('%s', ([dsn, differs]) => {
    expect(parseDsn(dsn, 'mysql')).toEqual({ ...GO, ...differs });
    expect(parseDsn(dsn, undefined)).toEqual({ ...GO, ...differs });
  });

  it('takes what looks like keywords, where the driver says mysql', () => {
    expect(parseDsn('a = b@/app', 'mysql')).toMatchObject({ user: 'a = b', database: 'app' });
  });
});

describe('a MySQL URL', () => {
  it.for<Case>([
    ['mysql://me@db/app', {}],
    ['mariadb://me@db/app', {}],
    ['mysql://me:p%40w@db:3307/app', { password: 'p@w', hosts: [{ host: 'db', port: 3307 }] }],
    [
      'mysql://me@a,b:2/app',
      {
        hosts: [
          { host: 'a', port: 3306 },
          { host: 'b', port: 2 },
        ],
      },
    ],
    ['mysql://me@/app?socket=/run/s.sock', { hosts: [{ socket: '/run/s.sock', port: 3306 }] }],
    ['mysql://me@localhost/app?unix_socket=/s', { hosts: [{ socket: '/s', port: 3306 }] }],
    ['mysql://me@%2Frun%2Fs.sock/app', { hosts: [{ socket: '/run/s.sock', port: 3306 }] }],
    ['mysql://me@db/app?connect_timeout=3', { connectTimeout: 3_000 }],
    ['mysql://me@db/app?connectTimeout=3000', { connectTimeout: 3_000 }],
    ['mysql://me@db/app?timeout=3s', { connectTimeout: 3_000 }],
  ])('%s', ([dsn, differs]) => {
    expect(parseDsn(dsn, undefined)).toEqual({ ...MYSQL, ...differs });
    expect(parseDsn(dsn, 'mysql')).toEqual({ ...MYSQL, ...differs });
  });
});

describe('keys without effect', () => {
  it.for([
    ['postgres://me@db/app?pool_max_conns=3', ['pool_max_conns']],
    ['postgres://me@db/app?default_query_exec_mode=exec', ['default_query_exec_mode']],
    ['postgres://me@db/app?hunter22=hunter23', ['parameter 1']],
    ['host=db user=me keepalives=1 statement_timeout=5', ['keepalives', 'statement_timeout']],
    ['postgres://me@db/app?search_path=a,b', ['search_path']],
    ['postgres://me@db/app?options=-c%20work_mem%3D1', ['options']],
    ['me@tcp(db)/app?parseTime=true&loc=Local', ['parseTime', 'loc']],
    ['mysql://me@db/app?connectionLimit=3&zzz=1', ['connectionLimit', 'parameter 2']],
    ['me@tcp(db)/app?tls=true&allowCleartextPasswords=true', ['allowCleartextPasswords']],
  ] as const)('are named in warnings: %s', ([dsn, names]) => {
    const { warnings } = parseDsn(dsn, undefined);
    expect(warnings).toHaveLength(names.length);
    for (const [i, name] of names.entries()) expect(warnings[i]).toContain(name);
    expect(warnings.join()).not.toContain('hunter');
  });
});
