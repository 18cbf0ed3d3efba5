import type { HttpBindings } from '@hono/node-server';
import { canonicalAddress } from '@metad/metad-api';
import type { Context } from 'hono';

/** Who is connected, in the spelling under which addresses are stored; empty where there is no socket, as in a test. */
export function peerAddress(c: Context): string {
  const bindings: Partial<HttpBindings> | undefined = c.env;
  return addressOf(bindings?.incoming?.socket.remoteAddress);
}

/** The same for the address of a socket. */
export function addressOf(remote: string | undefined): string {
  return canonicalAddress(remote?.replace(/%.*$/s, '') ?? '') ?? '';
}
