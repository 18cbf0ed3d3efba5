import { IncomingMessage } from 'node:http';
import { type BodySource, nodeBody, webBody } from '@metad/metad-api';
import type { Context } from 'hono';

/** Reads Node's own request where there is one; in a test there is none. */
export function bodyOf(c: Context): BodySource {
  const env: unknown = c.env;
  const incoming = typeof env === 'object' && env !== null && 'incoming' in env ? env.incoming : undefined;
  return incoming instanceof IncomingMessage ? nodeBody(incoming) : webBody(c.req.raw);
}
