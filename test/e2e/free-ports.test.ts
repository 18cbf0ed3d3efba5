import { expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json, send } from './http.ts';
import type { ClusterMetrics } from './metrics.ts';
import { spawnMetad } from './script-process.ts';
import { waitUntil } from './wait-until.ts';

const cluster = useCluster();

/** What `metad is up` says of a port. */
function loggedAddress(log: string, name: string): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = new RegExp(`"${name}":"([^"]*):(\\d+)".*"metad is up"`).exec(log) ?? [];
  return { host, port: Number(port) };
}

test.for(['127.0.0.1', '0.0.0.0'])('the ports that the system has chosen on %s are told', async (host) => {
  const process = spawnMetad([
    ...['--data_dir', cluster.scratch('data'), '--insecure'],
    ...['--listen', `${host}:0`, '--listen_manage', `${host}:0`, '--listen_cluster', `${host}:0`],
  ]);
  try {
    await waitUntil(() => /caught up/.test(process.log), 'the node to serve');
    for (const name of ['metadata', 'manage', 'cluster']) {
      const address = loggedAddress(process.log, name);
      expect(address).toEqual({ host, port: expect.any(Number) });
      expect((await send({ port: address.port, path: '/health' })).status, name).toBeLessThan(500);
    }
    const { port } = loggedAddress(process.log, 'cluster');
    const { Ok } = json(await send({ port, path: '/metrics' })) as ClusterMetrics;
    expect(Ok.membership_config.membership.nodes[1]).toEqual({ addr: `127.0.0.1:${port}` });
  } finally {
    await process.end('SIGTERM');
  }
});
