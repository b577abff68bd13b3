import { BlockList, isIP, isIPv6 } from 'node:net';
import { BadValue, shown } from './bad-value.ts';

/** Where a listener binds. */
export interface Address {
  /** An IP address; absent for all addresses, IPv4 and IPv6. */
  readonly host?: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
}

const FORM = /^(?:\[(?<v6>[^\]]*)\]|(?<host>[^:]*)):(?<port>\d{1,5})$/;

/**
 * Parses `127.0.0.1:8085`, `[::1]:8085`, `localhost:8085` (127.0.0.1, whatever a resolver says) or
 * `:8086` (all addresses). Names are not resolved: what a listener binds must not depend on DNS.
 *
 * @throws {BadValue}
 */
export function address(text: string): Address {
  const { v6, host, port: digits } = FORM.exec(text)?.groups ?? {};
  const port = Number(digits);
  if (digits === undefined || port > 65_535) {
    throw new BadValue(`is ${shown(text)}, which is not an address and a port as 127.0.0.1:8085`);
  }
  if (v6 !== undefined) {
    if (!isIPv6(v6)) throw notAnIp(text);
    return { host: v6, port };
  }
  if (host === undefined || host === '') return { port };
  if (host === 'localhost') return { host: '127.0.0.1', port };
  if (isIP(host) !== 4) throw notAnIp(text);
  return { host, port };
}

function notAnIp(text: string): BadValue {
  return new BadValue(`is ${shown(text)}, whose host is not an IP address (IPv6 in brackets)`);
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * As {@link address}, and on the loopback interface: whoever reaches the API may write history.
 *
 * @throws {BadValue}
 */
export function loopbackAddress(text: string): Address {
  const parsed = address(text);
  const { host } = parsed;
  if (host === undefined || !LOOPBACK.check(host, isIPv6(host) ? 'ipv6' : 'ipv4')) {
    throw new BadValue(
      `is ${shown(text)}, which is not a loopback address (127.0.0.0/8, [::1], localhost)`,
    );
  }
  return parsed;
}

/** As {@link address}; `off` for no listener. @throws {BadValue} */
export function addressOrOff(text: string): Address | 'off' {
  return text === 'off' ? 'off' : address(text);
}

/** Whether the kernel would refuse to bind one while the other is bound. */
export function collide(a: Address, b: Address): boolean {
  if (a.port === 0 || a.port !== b.port) return false;
  return a.host === b.host || covers(a.host, b.host) || covers(b.host, a.host);
}

/** Whether a socket that is bound to the first host takes what is sent to the second. */
function covers(any: string | undefined, host: string | undefined): boolean {
  if (any === undefined || any === '::') return true;
  return any === '0.0.0.0' && host !== undefined && !isIPv6(host);
}

/** `127.0.0.1:8085`, `[::1]:8085`, `:8086`. */
export function formatAddress({ host, port }: Address): string {
  if (host === undefined) return `:${port}`;
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
