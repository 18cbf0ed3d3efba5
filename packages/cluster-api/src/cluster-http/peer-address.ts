import type { HttpBindings } from '@hono/node-server';
import { canonicalAddress } from '@metad/metad-api';
import type { Context } from 'hono';

/** Who is connected, in the spelling under which addresses are stored; empty where there is no socket, as in a test. */
export function peerAddress(c: Context): string {
  const bindings: Partial<HttpBindings> | undefined = c.env;
  const address = bindings?.incoming?.socket.remoteAddress ?? '';
  return canonicalAddress(address.replace(/%.*$/s, '')) ?? '';
}
