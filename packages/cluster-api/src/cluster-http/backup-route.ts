import { unreachable } from '@metad/raft-core';
import type { Context, Hono } from 'hono';
import type { Backups, OpenBackup } from '../backup/backups.ts';
import type { Node } from '../consensus/node.ts';

export interface BackupDeps {
  readonly node: Pick<Node, 'readBarrier'>;
  readonly backups: Pick<Backups, 'open'>;
}

/**
 * `GET /backup`: the state as one file. `consistency=linearizable`, the default, holds every write that was acknowledged
 * before; `local` is what this node has, whatever it is: that is all there is when the quorum is lost for good.
 */
export function addBackupRoute(app: Hono, { node, backups }: BackupDeps): void {
  app.get('/backup', async (c) => {
    const consistency = c.req.query('consistency') ?? 'linearizable';
    if (consistency !== 'linearizable' && consistency !== 'local') {
      return failure(c, 400, `unknown consistency ${JSON.stringify(consistency)}: linearizable or local`);
    }
    // Only what is asked for is worth the work of a copy.
    if (c.req.method === 'HEAD') return c.body(null, 200, { 'Content-Type': CONTENT_TYPE });
    if (consistency === 'linearizable') {
      const barrier = await node.readBarrier();
      if (barrier.type !== 'ready') return failure(c, 503, barrier.message);
    }
    const outcome = await backups.open(c.req.raw.signal);
    switch (outcome.type) {
      case 'open':
        return send(c, outcome.backup);
      case 'busy':
        return failure(c, 503, 'another backup of this node is being taken: try again later');
      case 'empty':
        return failure(
          c,
          503,
          'this node has nothing to back up: it waits to be added to a cluster, or for its data',
        );
      case 'noRoom':
        return failure(c, 507, outcome.message);
      case 'calledOff':
        return failure(c, 503, outcome.message);
      case 'failed':
        return failure(c, 500, outcome.message);
      default:
        return unreachable(outcome);
    }
  });
}

const CONTENT_TYPE = 'application/vnd.sqlite3';

function send(c: Context, { manifest, body }: OpenBackup): Response {
  return c.body(body, 200, {
    'Content-Type': CONTENT_TYPE,
    'Content-Length': String(manifest.bytes),
    'Content-Disposition': `attachment; filename="metad-${manifest.version}.backup"`,
    'X-Metad-Version': String(manifest.version),
  });
}

function failure(c: Context, status: 400 | 500 | 503 | 507, message: string): Response {
  if (status === 503) c.header('Retry-After', '1');
  return c.json({ err: { code: status, message } }, status);
}
