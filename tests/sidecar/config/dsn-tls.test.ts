import { describe, expect, it } from 'vitest';
import { parseDsn } from '../../../sidecar/src/config/dsn/parse-dsn.ts';

/** Attempts in short: `plain`, or what is verified. */
function attempts(dsn: string): string[] {
  return parseDsn(dsn, undefined).tls.map((attempt) =>
    attempt.tls
      ? [attempt.verify, attempt.ca, attempt.cert, attempt.key].filter(Boolean).join(' ')
      : 'plain',
  );
}

describe("sslmode has libpq's meaning", () => {
  it.for([
    ['', ['none', 'plain']],
    ['sslmode=disable', ['plain']],
    ['sslmode=allow', ['plain', 'none']],
    ['sslmode=prefer', ['none', 'plain']],
    ['sslmode=require', ['none']],
    ['sslmode=verify-ca', ['ca']],
    ['sslmode=verify-full', ['full']],
    ['sslmode=require sslrootcert=/ca', ['ca /ca']],
    ['sslmode=prefer sslrootcert=/ca', ['ca /ca', 'plain']],
    ['sslmode=verify-ca sslrootcert=/ca', ['ca /ca']],
    ['sslmode=verify-full sslrootcert=/ca', ['full /ca']],
    ['sslrootcert=system', ['full']],
    ['sslmode=verify-full sslrootcert=system', ['full']],
    ['sslmode=require sslcert=/c sslkey=/k', ['none /c /k']],
    ['ssl=true', ['none']],
    ['ssl=true sslmode=verify-full', ['full']],
  ] as const)('%s', ([keys, expected]) => {
    expect(attempts(`host=db user=me ${keys}`)).toEqual(expected);
    const query = keys.replaceAll(' ', '&');
    expect(attempts(`postgres://me@db/app?${query}`)).toEqual(expected);
  });
});

describe('TLS of MySQL', () => {
  it.for([
    ['tls=true', ['full']],
    ['tls=TRUE', ['full']],
    ['tls=false', ['plain']],
    ['tls=skip-verify', ['none']],
    ['tls=preferred', ['none', 'plain']],
    ['tls=true&ssl-ca=%2Fca', ['full /ca']],
    ['ssl-mode=DISABLED', ['plain']],
    ['ssl-mode=PREFERRED', ['none', 'plain']],
    ['sslMode=REQUIRED', ['none']],
    ['ssl_mode=VERIFY_CA&ssl_ca=%2Fca', ['ca /ca']],
    ['sslmode=verify_identity&sslca=%2Fca', ['full /ca']],
    ['sslMode=verify-full', ['full']],
    ['sslMode=trust', ['none']],
    ['ssl-ca=%2Fca', ['ca /ca']],
    ['ssl-mode=REQUIRED&ssl-cert=%2Fc&ssl-key=%2Fk', ['none /c /k']],
  ] as const)('%s, in a URL as in the Go form', ([query, expected]) => {
    expect(attempts(`mysql://me@db/app?${query}`)).toEqual(expected);
    expect(attempts(`me@tcp(db)/app?${query}`)).toEqual(expected);
  });

  it('is what each form has by default', () => {
    expect(attempts('mysql://me@db/app')).toEqual(['none', 'plain']);
    expect(attempts('me@tcp(db)/app')).toEqual(['plain']);
  });
});
