import { describe, expect, it } from 'vitest';
import { DsnError } from '../../../sidecar/src/config/dsn/dsn-error.ts';
import { parseDsn } from '../../../sidecar/src/config/dsn/parse-dsn.ts';
import type { ServerDsn } from '../../../sidecar/src/config/server-dsn.ts';

function problem(dsn: string, driver?: ServerDsn['driver']): string {
  try {
    parseDsn(dsn, driver);
  } catch (error) {
    if (error instanceof DsnError) return error.message;
    throw error;
  }
  return 'none';
}

describe('an error says what is wrong and where', () => {
  it.for([
    ['', ['is blank']],
    [' \n', ['is blank']],
    ['oracle://me@db/app', ['scheme', 'postgres, postgresql, mysql and mariadb']],
    // Words that JavaScript finds in any object.
    ['constructor://me@db/app', ['scheme', 'postgres, postgresql, mysql and mariadb']],
    ['postgres://me@db/app?target_session_attrs=toString', ['target_session_attrs', 'read-write']],
    ['jdbc:postgresql://db/app', ["another program's scheme"]],
    ['postgresql+psycopg2://me@db/app', ["another program's scheme"]],
    ['"postgres://me@db/app"', ['begins with a quote']],
    ['postgres://db/app', ['no user', 'postgres://user@host/database']],
    ['host=db', ['no user', 'user=name']],
    ['mysql://db/app', ['no user']],
    ['mysql://me@db', ['no database']],
    ['me@tcp(db)/', ['no database']],
    ['me:secret@tcp(db)', ['no /', 'user:password@tcp(host:3306)/database']],
    ['me@cloudsql(p:r:i)/app', ['neither tcp nor unix']],
    ['me@tcp(db:3306/app', ['no network(address)', '%2F']],
    ['me@tcp(::1)/app', ['brackets', 'tcp([::1]:3306)']],
    ['postgres://me:secret/1@db/app', ['port of host 1', '%2F']],
    ['postgres://me:a%zz@db/app', ['% in the password', 'character 2', '%25']],
    ['postgres://me:%ff@db/app', ['no UTF-8', 'password']],
    ['postgres://me:%00@db/app', ['NUL', 'password']],
    ['postgres://me:a\nb@db/app', ['line break', 'position 16']],
    ['postgres://me@db:0/app', ['port of host 1']],
    ['postgres://me@db:70000/app', ['port of host 1']],
    ['postgres://me@a,b:x/app', ['port of host 2']],
    ['postgres://me@::1/app', ['IPv6', 'brackets']],
    ['postgres://me@d b/app', ['character in host 1']],
    ['postgres://me@db/app?sslmode', ['no = in parameter 1']],
    ['postgres://me@db/app?sslmode=no-verify', ['sslmode', 'verify-full']],
    ['postgres://me@db/app?sslmdoe=verify-full', ['parameter 1', 'TLS']],
    ['postgres://me@db/app?sslmode=disable&sslmode=require', ['sslmode twice']],
    ['postgres://me@db/app?user=you', ['user twice']],
    ['postgres://me@db/app?host=b', ['host or a port twice']],
    ['postgres://me@db/app?sslrootcert=system&sslmode=require', ['sslrootcert=system']],
    ['postgres://me@db/app?sslcert=/c', ['sslcert without sslkey']],
    ['postgres://me@db/app?ssl=true&sslmode=disable', ['ssl=true']],
    ['postgres://me@db/app?connect_timeout=soon', ['connect_timeout', 'seconds']],
    ['postgres://me@db/app?target_session_attrs=standby', ['target_session_attrs', 'read-write']],
    ['postgres://me@db/app?search_path=a%20b', ['search_path']],
    ['postgres://me@db/app?options=endpoint%3Dep-1', ['options', 'route']],
    ['postgres://me@db/app?options=--cluster%3Dc-1', ['options', 'route']],
    ['postgres://me@db/app?options=-c%20role%3Droot', ['options', 'role']],
    ['host=db user=me password=a b', ['position 28', 'parameter 4', 'single quotes']],
    ["host=db user='me", ['quote at position 14', 'parameter 2']],
    ['host=a,b port=1,2,3 user=me', ['3 ports for 2 hosts']],
    ['host=db hostaddr=10.0.0.1 user=me', ['host and hostaddr']],
    ['me@tcp(db)/app?tls=custom', ['tls', 'registered', 'ssl-ca']],
    ['me@tcp(db)/app?tls=true&sslmode=REQUIRED', ['both tls and ssl-mode']],
    ['mysql://me@db/app?sslmode=no', ['ssl-mode', 'VERIFY_IDENTITY']],
    ['mysql://me@db/app?ssl-key=/k', ['ssl-key without ssl-cert']],
    ['me@tcp(db)/app?timeout=10', ['timeout', '10s']],
    ['mysql://me@db/app?socket=/s', ['host and a socket']],
    ['me@tcp(db)/app?allowCleartextPasswords=true', ['without TLS', 'tls=true']],
    ['me@tcp(db)/app?tls=preferred&allowCleartextPasswords=true', ['without TLS']],
  ] as const)('%j', ([dsn, words]) => {
    for (const word of words) expect(problem(dsn)).toContain(word);
  });

  it('when the scheme is not for the driver that is asked for', () => {
    expect(problem('mysql://me@db/app', 'postgres')).toContain('STORAGE_DRIVER is postgres');
    expect(problem('postgres://me@db/app', 'mysql')).toContain('for postgres by its scheme');
  });
});

describe('a key that weakens, redirects or cannot be honoured is refused by name', () => {
  it.for([
    'service=x',
    'servicefile=/x',
    'passfile=/x',
    'sslpassword=x',
    'channel_binding=require',
    'require_auth=scram-sha-256',
    'gssencmode=require',
    'krbsrvname=x',
    'requirepeer=x',
    'sslcrl=/x',
    'sslcertmode=require',
    'ssl_min_protocol_version=TLSv1.3',
    'sslkeylogfile=/x',
    'sslinline=true',
    'sslaccept=strict',
    'replication=database',
  ])('of Postgres: %s', (pair) => {
    const [name = ''] = pair.split('=');
    expect(problem(`postgres://me@db/app?${pair}`)).toContain(name);
    expect(problem(`host=db user=me ${pair}`)).toMatch(/refused: ./);
  });

  it.for([
    'allowAllFiles=true',
    'allowFallbackToPlaintext=true',
    'allowOldPasswords=true',
    'allowNativePasswords=false',
    'serverPubKey=x',
    'ssl=true',
    'useSSL=true',
    'verifyServerCertificate=false',
    'trustStore=x',
    'ssl-crl=/x',
    'tls-version=TLSv1.3',
    'host=x',
  ])('of MySQL: %s', (pair) => {
    const [name = ''] = pair.split('=');
    const told = problem(`mysql://me@db/app?${encodeURI(pair)}`);
    expect(told).toMatch(/refused: ./);
    expect(told).toContain(name);
    expect(problem(`me@tcp(db)/app?${pair.replace('/', '%2F')}`)).toBe(told);
  });
});
