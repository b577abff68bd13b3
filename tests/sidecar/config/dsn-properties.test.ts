import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DsnError } from '../../../sidecar/src/config/dsn/dsn-error.ts';
import { parseDsn } from '../../../sidecar/src/config/dsn/parse-dsn.ts';
import type { ServerDsn, ServerHost } from '../../../sidecar/src/config/server-dsn.ts';

interface Dsn {
  readonly hosts: readonly ServerHost[];
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly applicationName: string | undefined;
  readonly connectTimeout: number | undefined;
  readonly readWrite: boolean;
}

// No lone surrogates: they are no text, and no encoding holds them.
const text = fc
  .string({ minLength: 1, maxLength: 24, unit: 'grapheme' })
  .filter((one) => !one.includes('\0') && one.isWellFormed());
const port = fc.integer({ min: 1, max: 65_535 });
const host = fc.record({
  host: fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()),
  port,
});
const socket = fc.record({
  socket: fc.stringMatching(/^\/[a-z]{1,9}(\/[A-Za-z0-9._-]{1,9}){0,3}$/),
  port,
});

function dsns(hosts: fc.Arbitrary<readonly ServerHost[]>): fc.Arbitrary<Dsn> {
  return fc.record({
    hosts,
    user: text,
    password: fc.oneof(fc.constant(''), text),
    database: text,
    applicationName: fc.option(text, { nil: undefined }),
    connectTimeout: fc.option(
      fc.integer({ min: 1, max: 86_400 }).map((seconds) => seconds * 1_000),
      { nil: undefined },
    ),
    readWrite: fc.boolean(),
  });
}

const several = dsns(fc.array(fc.oneof(host, socket), { minLength: 1, maxLength: 3 }));

function expectSame(parsed: ServerDsn, dsn: Dsn): void {
  expect(parsed).toMatchObject(dsn);
  expect(parsed.warnings).toEqual([]);
}

const name = (at: ServerHost) => ('socket' in at ? at.socket : at.host);
const bracketed = (at: string) => (at.includes(':') ? `[${at}]` : encodeURIComponent(at));

function query(pairs: Record<string, string | number | false | undefined>): string {
  const set = Object.entries(pairs).filter(([, value]) => value !== undefined && value !== false);
  return set.map(([key, value]) => `${key}=${encodeURIComponent(value as string)}`).join('&');
}

it('a Postgres URL says what was printed', () => {
  fc.assert(
    fc.property(several, (dsn) => {
      const hosts = dsn.hosts.map((at) => `${bracketed(name(at))}:${at.port}`).join(',');
      const login = `${encodeURIComponent(dsn.user)}:${encodeURIComponent(dsn.password)}`;
      const rest = query({
        application_name: dsn.applicationName,
        connect_timeout: dsn.connectTimeout && dsn.connectTimeout / 1_000,
        target_session_attrs: dsn.readWrite && 'read-write',
      });
      const database = encodeURIComponent(dsn.database);
      expectSame(parseDsn(`postgres://${login}@${hosts}/${database}?${rest}\n`, undefined), dsn);
    }),
  );
});

it("libpq's keywords say what was printed, quoted or escaped", () => {
  const quoted = (value: string) => `'${value.replace(/['\\]/g, '\\$&')}'`;
  const escaped = (value: string) =>
    value === '' ? "''" : value.replace(/['\\]|\s/g, (character) => `\\${character}`);
  fc.assert(
    fc.property(several, fc.constantFrom(quoted, escaped), (dsn, print) => {
      const pairs = [
        ['host', dsn.hosts.map(name).join(',')],
        ['port', dsn.hosts.map((at) => at.port).join(',')],
        ['user', dsn.user],
        ['password', dsn.password],
        ['dbname', dsn.database],
        ['application_name', dsn.applicationName],
        ['connect_timeout', dsn.connectTimeout && String(dsn.connectTimeout / 1_000)],
        ['target_session_attrs', dsn.readWrite ? 'read-write' : 'any'],
      ].filter((pair): pair is [string, string] => pair[1] !== undefined);
      const printed = pairs.map(([key, value]) => `${key} = ${print(value)}`).join(' ');
      // A blank that ends the string as a value's escaped last character is trimmed by nobody else.
      expectSame(parseDsn(`${printed} sslmode=prefer`, 'postgres'), dsn);
    }),
  );
});

it("Go's form says what was printed", () => {
  // Go cannot write a colon in a user, nor a control character.
  const plain = (value: string) => !/\p{Cc}/u.test(value);
  const one = dsns(
    fc
      .oneof(
        host,
        socket.map((at) => ({ ...at, port: 3306 })),
      )
      .map((at) => [at]),
  );
  const go = one.filter(({ user, password }) => plain(user + password) && !user.includes(':'));
  fc.assert(
    fc.property(go, (dsn) => {
      const [at = { host: '', port: 0 }] = dsn.hosts;
      const address =
        'socket' in at
          ? `unix(${at.socket})`
          : `tcp(${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port})`;
      const rest = query({
        timeout: dsn.connectTimeout && `${dsn.connectTimeout / 1_000}s`,
        rejectReadOnly: dsn.readWrite && 'true',
      });
      const printed = `${dsn.user}:${dsn.password}@${address}/${encodeURIComponent(dsn.database)}?${rest}`;
      // What begins with blanks, a quote or a scheme is not Go's form any more.
      fc.pre(
        !/^[\s\uFEFF"'`]|^(?:\w+[+:.-])*(?:postgres(?:ql)?|mysql|mariadb)[+:.\w-]*:\/\//i.test(
          printed,
        ),
      );
      expectSame(parseDsn(printed, 'mysql'), { ...dsn, applicationName: undefined });
    }),
  );
});

it('a MySQL URL says what was printed', () => {
  fc.assert(
    fc.property(several, (dsn) => {
      const hosts = dsn.hosts.map((at) => `${bracketed(name(at))}:${at.port}`).join(',');
      const login = `${encodeURIComponent(dsn.user)}:${encodeURIComponent(dsn.password)}`;
      const rest = query({
        connect_timeout: dsn.connectTimeout && dsn.connectTimeout / 1_000,
        rejectReadOnly: dsn.readWrite && 'true',
      });
      const printed = `mysql://${login}@${hosts}/${encodeURIComponent(dsn.database)}?${rest}`;
      expectSame(parseDsn(printed, undefined), { ...dsn, applicationName: undefined });
    }),
  );
});

/** Parts of DSNs, so that arbitrary strings get past the first character. */
const token = fc.constantFrom(
  ...[
    'postgres://',
    'mysql://',
    'host=',
    'user=',
    'password=',
    "'",
    '\\',
    ' ',
    '\n',
    ':',
    '@',
    '/',
  ],
  ...['tcp(', 'unix(', ')', '?', '&', '=', ',', '[', ']', '%', '%zz', '%00', '#', '+', '1', 'x'],
  ...['sslmode=', 'options=', 'search_path=', 'connect_timeout=', 'tls=', 'timeout=', 'port='],
  ...['ssl-mode=', 'sslrootcert=', 'target_session_attrs=', 'service=', 'socket=', 'zssl='],
);
const driver = fc.constantFrom('postgres' as const, 'mysql' as const, undefined);

it('neither an error nor a warning holds a part of what was given, whatever it is', () => {
  // Nothing that a message could hold by itself, as it does default ports.
  const secret = fc.stringMatching(/^[QXZ][B-DF-HJ-NP-TV-XZ1789]{5,12}$/);
  const pieces = fc.array(
    fc.oneof({ weight: 3, arbitrary: token }, { weight: 2, arbitrary: secret }),
    {
      maxLength: 14,
    },
  );
  const beginning = fc.constantFrom(
    ...['', '', 'postgres://u@h/d?', 'host=h user=u ', 'u@tcp(h)/d?', 'mysql://u@h/d?'],
  );
  let refused = 0;
  let warned = 0;
  fc.assert(
    fc.property(beginning, pieces, driver, (begun, all, asked) => {
      const told: string[] = [];
      try {
        told.push(...parseDsn(begun + all.join(''), asked).warnings);
        warned += told.length;
      } catch (error) {
        expect(error).toBeInstanceOf(DsnError);
        told.push((error as DsnError).message);
        refused += 1;
      }
      const secrets = all.filter((piece) => /^[QXZ][A-Z0-9]{5,}$/.test(piece));
      for (const one of secrets) {
        for (let at = 0; at + 4 <= one.length; at += 1) {
          expect(told.join('\n')).not.toContain(one.slice(at, at + 4));
        }
      }
    }),
    { numRuns: 5_000 },
  );
  expect(refused).toBeGreaterThan(1_000);
  expect(warned).toBeGreaterThan(0);
});

it('any string is parsed, or refused with a DsnError', () => {
  const strings = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(token).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(strings, driver, (dsn, asked) => {
      try {
        expect(parseDsn(dsn, asked).hosts.length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(DsnError);
      }
    }),
    { numRuns: 2_000 },
  );
});
