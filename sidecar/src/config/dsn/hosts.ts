import type { ServerHost } from '../server-dsn.ts';
import { DsnError } from './dsn-error.ts';
import type { HostPart } from './parts.ts';

/** Letters of any script, since a name may be internationalised; `%` begins a zone of IPv6. */
const HOST = /^[\p{L}\p{N}._:%-]{1,255}$/u;

/**
 * Makes hosts of their parts: a path is a socket's.
 *
 * @param fallback what an empty host, or none, stands for
 * @throws {DsnError}
 */
export function serverHosts(
  parts: readonly HostPart[],
  fallback: { readonly host: string; readonly port: number },
): ServerHost[] {
  const given = parts.length === 0 ? [{ host: '', port: undefined }] : parts;
  return given.map(({ host, port: written }, index) => {
    const port = written === undefined ? fallback.port : portOf(written, index + 1);
    if (host === '') return { host: fallback.host, port };
    if (host.startsWith('/')) return { socket: host, port };
    if (!HOST.test(host)) {
      throw new DsnError(
        `has a character in host ${index + 1} that no host name has; a @, /, ? or : of a user or password must be written as its %-code in a URL`,
      );
    }
    return { host, port };
  });
}

function portOf(text: string, number: number): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new DsnError(
    `has a port of host ${number} that is no number from 1 to 65535; a : or / of a user or password must be written as its %-code in a URL (%3A, %2F)`,
  );
}

/**
 * libpq's lists: `host=a,b port=5432,5433`; one port is for all hosts.
 *
 * @throws {DsnError}
 */
export function pairedHosts(hosts: string | undefined, ports: string | undefined): HostPart[] {
  const names = hosts?.split(',') ?? [''];
  const numbers = ports?.split(',') ?? [];
  if (numbers.length > 1 && numbers.length !== names.length) {
    throw new DsnError(
      `has ${numbers.length} ports for ${names.length} hosts; give one for all, or one for each`,
    );
  }
  return names.map((host, index) => ({
    host: host.trim(),
    port: (numbers.length === 1 ? numbers[0] : numbers[index])?.trim() || undefined,
  }));
}
