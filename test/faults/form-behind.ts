import type { Cluster } from '../e2e/cluster.ts';
import type { PeerNetwork } from './peer-network.ts';

/** Forms a cluster of three whose nodes reach each other through the network only; clients reach them directly. */
export async function formBehind(cluster: Cluster, network: PeerNetwork, ...flags: string[]): Promise<void> {
  const ids = [1, 2, 3];
  const ports = await cluster.ports(ids.length);
  const members = ids.map((id, index) => `${id}=127.0.0.1:${ports[index]}`).join(',');
  for (const [index, id] of ids.entries()) {
    const node = await cluster.add(id, '--initial_cluster', members, ...flags);
    await network.route(id, ports[index] ?? 0, node.ports.cluster);
  }
  for (const id of ids) cluster.launch(id);
  for (const id of ids) await cluster.ready(id);
}
