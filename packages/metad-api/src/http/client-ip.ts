import ipaddr from 'ipaddr.js';
import { BoundedCache } from '../bounded-cache.ts';
import { canonicalAddress } from './ip-address.ts';

/** Says which client a request comes from: its canonical address, or null when that cannot be known. */
export type ClientIp = (peerAddress: string | undefined, forwardedFor: string | undefined) => string | null;

type Prefix = ReturnType<typeof ipaddr.parseCIDR>;

const MAX_REMEMBERED = 8192;
/** A header may be as long as its sender likes; what proxies write of a few hops is shorter. */
const MAX_REMEMBERED_LENGTH = 256;

/**
 * Throws a RangeError when `trustedProxies` holds something that is neither an address nor a prefix.
 *
 * Anyone can write anything into X-Forwarded-For; each proxy appends the address that it was called from. So the
 * right-most address that no trusted proxy has is the last one that can be believed.
 */
export function createClientIp(settings: {
  readonly xff: boolean;
  readonly trustedProxies: readonly string[];
}): ClientIp {
  const trusted = settings.trustedProxies.map(parsePrefix);
  const peers = new BoundedCache<string | null>({ maxWeight: MAX_REMEMBERED });
  const headers = new BoundedCache<string | null>({ maxWeight: MAX_REMEMBERED });

  return (peerAddress, forwardedFor) => {
    const peer = peerAddress === undefined ? null : remembered(peers, peerAddress, readAddress);
    if (!settings.xff || forwardedFor === undefined) return peer;
    if (trusted.length > 0 && (peer === null || !isTrusted(peer, trusted))) return peer;
    const named = remembered(headers, forwardedFor, (header) => rightMostUntrusted(header, trusted));
    return named === '' ? peer : named;
  };
}

function remembered(
  cache: BoundedCache<string | null>,
  text: string,
  read: (text: string) => string | null,
): string | null {
  const known = cache.get(text);
  if (known !== undefined) return known;
  const value = read(text);
  if (text.length <= MAX_REMEMBERED_LENGTH) cache.set(text, value);
  return value;
}

/** The empty string when the header names nobody at all; null when what counts in it is no address. */
function rightMostUntrusted(header: string, trusted: readonly Prefix[]): string | null {
  const elements = header
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
  let address: string | null = '';
  for (const element of elements.reverse()) {
    address = readAddress(element);
    if (address === null || !isTrusted(address, trusted)) return address;
  }
  // Every hop is a trusted proxy: the first of them is where the request began.
  return address;
}

/** Reads an address as it stands in a header or on a socket: a port, brackets and a zone may come along. */
function readAddress(text: string): string | null {
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text);
  const withPort = /^([\d.]+):\d{1,5}$/.exec(text);
  const bare = bracketed?.[1] ?? withPort?.[1] ?? text;
  return canonicalAddress(bare.replace(/%.*$/s, ''));
}

function parsePrefix(text: string): Prefix {
  const [address = '', length, ...rest] = text.split('/');
  const canonical = canonicalAddress(address);
  if (canonical === null || rest.length > 0) throw new RangeError(`no address or prefix: ${text}`);
  const parsed = ipaddr.parse(canonical);
  const bits = parsed.kind() === 'ipv4' ? 32 : 128;
  if (length === undefined) return [parsed, bits];
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits) throw new RangeError(`no prefix length: ${text}`);
  return [parsed, Number(length)];
}

function isTrusted(address: string, trusted: readonly Prefix[]): boolean {
  if (trusted.length === 0) return false;
  const parsed = ipaddr.parse(address);
  return trusted.some(([network, bits]) => parsed.kind() === network.kind() && parsed.match(network, bits));
}
