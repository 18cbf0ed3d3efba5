import { createHash, timingSafeEqual } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import type { ApiRequest } from '../http/api-request.ts';
import type { Problem } from '../http/problem.ts';

const UNAUTHORIZED: Problem = {
  status: 401,
  message: 'this needs the manage token',
  headers: { 'WWW-Authenticate': 'Bearer' },
};

/** Decides whether the manage API may be used at all. */
export type ManageGuard = (request: ApiRequest) => Problem | null;

/** Without a token (null) everyone who reaches the port may use it, except by way of somebody's browser. */
export function createManageGuard(manageToken: string | null): ManageGuard {
  const expected = manageToken === null ? null : digest(manageToken);
  return (request) => {
    const stranger = findStranger(request, expected !== null);
    if (stranger !== null) return stranger;
    if (expected === null) return null;
    const given = /^Bearer +(\S+) *$/i.exec(request.header('authorization') ?? '')?.[1] ?? '';
    // Of digests, since a comparison in constant time needs equal lengths.
    return timingSafeEqual(digest(given), expected) ? null : UNAUTHORIZED;
  };
}

/**
 * A page that the operator has open can send requests to this port, which is open to all on this machine. Its browser
 * says where it comes from. A page whose own name was made to lead here is same-origin to the browser; it is known by
 * a host name that is neither an address nor `localhost`. (With a token that is harmless: no browser sends it unasked.)
 */
function findStranger(request: ApiRequest, hasToken: boolean): Problem | null {
  const origin = request.header('origin');
  const isBrowser = origin !== undefined || request.header('sec-fetch-site') !== undefined;
  if (!isBrowser) return null;
  const host = request.header('host')?.toLowerCase() ?? '';
  if (origin !== undefined && hostOf(origin) !== host) return forbidden('another origin');
  return hasToken || isLocalName(host) ? null : forbidden('a host name that is not known here');
}

function forbidden(what: string): Problem {
  return { status: 403, message: `requests of a browser with ${what} are refused` };
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}

function isLocalName(host: string): boolean {
  const name = host.replace(/:\d+$/, '');
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
  return bare === 'localhost' || bare.endsWith('.localhost') || isIPv4(bare) || isIPv6(bare);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
