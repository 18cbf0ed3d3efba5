import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

/** Where a port listens. */
export interface ListenAddress {
  /** An IP address or a name; null listens on every interface. */
  readonly host: string | null;
  /** 0 lets the system choose a free one. */
  readonly port: number;
}

const HOST_AND_PORT = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/;
const NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/;
const DIGITS_AND_DOTS = /^[\d.]+$/;

/** Reads `HOST:PORT`, `[IPV6]:PORT` or `:PORT`; null when it is none of them. */
export function parseAddress(text: string): ListenAddress | null {
  const match = HOST_AND_PORT.exec(text);
  if (match === null) return null;
  const [, bracketed, plain = '', digits] = match;
  const port = Number(digits);
  if (port > 65_535) return null;
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : null;
  if (plain === '') return { host: null, port };
  return isHostName(plain) ? { host: plain, port } : null;
}

/** What one can connect to. */
export interface DialAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `HOST:PORT` or `[IPV6]:PORT`; null when it is neither, or names no host or no port. */
export function parseDialAddress(text: string): DialAddress | null {
  const { host, port } = parseAddress(text) ?? { host: null, port: 0 };
  return host === null || port === 0 ? null : { host, port };
}

/** Spells an address the one way in which memberships and logs show it. */
export function formatAddress({ host, port }: ListenAddress): string {
  if (host === null) return `:${port}`;
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine can reach it. A name other than `localhost` may resolve to anything, so it counts as no. */
export function isLoopback({ host }: ListenAddress): boolean {
  if (host === null) return false;
  if (isIP(host) === 0) return host.toLowerCase() === 'localhost';
  return loopback.check(host, isIPv4(host) ? 'ipv4' : 'ipv6');
}

const unspecified = new BlockList();
unspecified.addAddress('0.0.0.0', 'ipv4');
unspecified.addAddress('::', 'ipv6');

/** Whether it means every interface, so that no other node could connect to it as it is written. */
export function isWildcard({ host }: ListenAddress): boolean {
  if (host === null) return true;
  return isIP(host) !== 0 && unspecified.check(host, isIPv4(host) ? 'ipv4' : 'ipv6');
}

/** How another process on this machine reaches what listens there. */
export function localAddress(listen: ListenAddress): string {
  return formatAddress(isWildcard(listen) ? { ...listen, host: '127.0.0.1' } : listen);
}

/** Whether it is one IP address, or a range of them as ADDRESS/PREFIX. */
export function isAddressRange(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  if (rest.length > 0 || address.includes('%')) return false;
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  if (prefix === undefined) return bits > 0;
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits;
}

function isHostName(text: string): boolean {
  return isIPv4(text) || (NAME.test(text) && !DIGITS_AND_DOTS.test(text));
}
