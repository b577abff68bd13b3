import { DsnError } from './dsn-error.ts';
import type { HostPart, Parameter, Parts } from './parts.ts';
import { percentDecoded } from './percent.ts';

/**
 * Splits a URL: `scheme://user:password@host:port,host:port/database?key=value&...`, by libpq's
 * rules, https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS. The
 * user ends at the last `@` before the first `/` or `?`, so an `@` in a password may stand as it
 * is. No `URL` of the platform's: those know one host, and no sockets.
 *
 * @throws {DsnError}
 */
export function splitUrl(dsn: string): Parts {
  noControlCharacters(dsn);
  const rest = dsn.slice(dsn.indexOf('://') + 3);
  const [, authority = '', path, query] = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest) ?? [];
  const at = authority.lastIndexOf('@');
  const login = at === -1 ? undefined : authority.slice(0, at);
  const colon = login?.indexOf(':') ?? -1;
  const user = colon === -1 ? login : login?.slice(0, colon);
  const password = colon === -1 ? undefined : login?.slice(colon + 1);
  return {
    hosts: splitHosts(authority.slice(at + 1)),
    user: user && percentDecoded(user, 'the user'),
    password: password === undefined ? undefined : percentDecoded(password, 'the password'),
    database: path ? percentDecoded(path, 'the database') : undefined,
    parameters: query ? splitQuery(query) : [],
  };
}

/** @throws {DsnError} since a line break in the middle is no part of any URL */
export function noControlCharacters(dsn: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const at = dsn.search(/[\u0000-\u001f\u007f]/);
  if (at === -1) return;
  throw new DsnError(
    `has a line break, a tab or another control character at position ${at + 1}; remove it, or write it as its %-code`,
  );
}

function splitHosts(text: string): HostPart[] {
  if (text === '') return [];
  return text.split(',').map((one, index) => {
    const part = `host ${index + 1}`;
    const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(one) ?? [];
    if (bracketed === undefined && plain === undefined) {
      throw new DsnError(
        `has colons or brackets in ${part} that are no host and port; write an IPv6 address in brackets, and a /, ?, # or : of a user or password as its %-code (%2F, %3F, %23, %3A)`,
      );
    }
    return { host: percentDecoded(bracketed ?? plain ?? '', part), port: port || undefined };
  });
}

function splitQuery(query: string): Parameter[] {
  return query
    .split('&')
    .filter((one) => one !== '')
    .map((one, index) => {
      const part = `parameter ${index + 1}`;
      const equals = one.indexOf('=');
      if (equals === -1) throw new DsnError(`has no = in ${part}; write key=value`);
      return {
        key: percentDecoded(one.slice(0, equals), part),
        value: percentDecoded(one.slice(equals + 1), part),
      };
    });
}
