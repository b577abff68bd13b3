import { DsnError } from './dsn-error.ts';
import type { HostPart, Parameter, Parts } from './parts.ts';
import { percentDecoded } from './percent.ts';
import { noControlCharacters } from './url.ts';

const SHAPE = 'user:password@tcp(host:3306)/database?key=value';

/**
 * Splits the form of Go's MySQL driver, `user:password@tcp(host:port)/database?key=value`, as that
 * driver does (ParseDSN of https://github.com/go-sql-driver/mysql/blob/master/dsn.go): at the last
 * `/`, then at the last `@` before it, then at the first `:`. The password is taken as it is, the
 * database is percent-decoded.
 *
 * @throws {DsnError}
 */
export function splitGo(dsn: string): Parts {
  noControlCharacters(dsn);
  const slash = dsn.lastIndexOf('/');
  if (slash === -1) {
    throw new DsnError(`has no / before the name of the database; its form is ${SHAPE}`);
  }
  const before = dsn.slice(0, slash);
  const question = dsn.indexOf('?', slash);
  const name = dsn.slice(slash + 1, question === -1 ? undefined : question);
  const at = before.lastIndexOf('@');
  const login = before.slice(0, Math.max(at, 0));
  const colon = login.indexOf(':');
  return {
    hosts: splitAddress(before.slice(at + 1)),
    user: colon === -1 ? login : login.slice(0, colon),
    password: colon === -1 ? undefined : login.slice(colon + 1),
    database: name === '' ? undefined : percentDecoded(name, 'the database'),
    parameters: question === -1 ? [] : splitParameters(dsn.slice(question + 1)),
  };
}

function splitAddress(text: string): HostPart[] {
  if (text === '') return [];
  const [, network, address = ''] = /^([^()]*)(?:\((.*)\))?$/s.exec(text) ?? [];
  if (network === undefined) {
    throw new DsnError(
      `has no network(address) before its last /; its form is ${SHAPE}, and a / in a parameter is written %2F`,
    );
  }
  switch (network) {
    case '':
    case 'tcp':
      return address === '' ? [] : [hostAndPort(address)];
    case 'unix':
      return [{ host: address === '' ? '/tmp/mysql.sock' : address, port: undefined }];
    default:
      throw new DsnError(
        `names a network that is neither tcp nor unix, which only a Go program can register; its form is ${SHAPE}`,
      );
  }
}

function hostAndPort(address: string): HostPart {
  const [, bracketed, plain, port] =
    /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(address) ?? [];
  if (bracketed === undefined && plain === undefined) {
    throw new DsnError(
      'has colons or brackets in its address that are no host and port; write an IPv6 address in brackets, as tcp([::1]:3306)',
    );
  }
  return { host: bracketed ?? plain ?? '', port: port || undefined };
}

/** Go decodes a parameter's value as a query's: a plus sign is a blank. */
function splitParameters(text: string): Parameter[] {
  return text
    .split('&')
    .filter((one) => one !== '')
    .map((one, index) => {
      const part = `parameter ${index + 1}`;
      const equals = one.indexOf('=');
      if (equals === -1) throw new DsnError(`has no = in ${part}; write key=value`);
      const value = percentDecoded(one.slice(equals + 1).replaceAll('+', ' '), part);
      return { key: one.slice(0, equals), value };
    });
}
