import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** How an IPv4 address looks as an IPv6 address. */
const MAPPED = '::ffff:';

/**
 * The one spelling under which an address is stored and looked up: dotted decimal, or RFC 5952; an IPv4-mapped IPv6
 * address is its IPv4 address. Null for anything but a bare address: leading zeros, zones, ports, prefix lengths,
 * brackets and blanks are refused.
 */
export function canonicalAddress(text: string): string | null {
  if (isIPv4(text)) return text;
  // What a socket that takes both families shows of each IPv4 client: to parse it would take a hundred times as long.
  if (text.startsWith(MAPPED) && isIPv4(text.slice(MAPPED.length))) return text.slice(MAPPED.length);
  if (!isIPv6(text) || text.includes('%')) return null;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toString();
}
