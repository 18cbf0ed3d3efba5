import { isIPv4, isIPv6 } from 'node:net';
import type { ApiRequest } from './api-request.ts';
import { createTokenCheck } from './bearer-token.ts';
import type { Problem } from './problem.ts';

/** Decides whether an administrative port may be used at all. */
export type PortGuard = (request: Pick<ApiRequest, 'header'>) => Problem | null;

/** Without a token (null) everyone who reaches the port may use it, except by way of somebody's browser. */
export function createPortGuard(token: string | null, port: 'manage' | 'cluster'): PortGuard {
  const isAllowed = token === null ? () => true : createTokenCheck(token);
  const unauthorized: Problem = {
    status: 401,
    message: `this needs the ${port} token`,
    headers: { 'WWW-Authenticate': 'Bearer' },
  };
  return (request) => {
    const stranger = findStranger(request, token !== null);
    if (stranger !== null) return stranger;
    return isAllowed(request.header('authorization')) ? null : unauthorized;
  };
}

/**
 * A page that the operator has open can send requests to this port, which is open to all on this machine. Its browser
 * says where it comes from. A page whose own name was made to lead here is same-origin to the browser; it is known by
 * a host name that is neither an address nor `localhost`. (With a token that is harmless: no browser sends it unasked.)
 */
function findStranger(request: Pick<ApiRequest, 'header'>, hasToken: boolean): Problem | null {
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
