import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { verifyBackup } from '@metad/kv-store';
import type { Cluster } from '../e2e/cluster.ts';
import { send, versionOf } from '../e2e/http.ts';
import { waitUntil } from '../e2e/wait-until.ts';

/** What all nodes hold once they have applied the same; nobody may write meanwhile. Throws when they differ. */
export async function agreedContent(cluster: Cluster): Promise<ReadonlyMap<string, string>> {
  await cluster.converged();
  const [first, ...others] = await Promise.all(cluster.ids.map((id) => contentOf(cluster, id)));
  if (first === undefined) throw new Error('there is no node');
  for (const other of others) {
    if (first.version === other.version && first.text === other.text) continue;
    throw new Error(
      `nodes ${first.id} and ${other.id} differ: version ${first.version}: ${first.text}, ` +
        `version ${other.version}: ${other.text}`,
    );
  }
  return first.content;
}

async function contentOf(cluster: Cluster, id: number) {
  const content = await cluster.readAll(id);
  const reply = await send({ port: cluster.node(id).ports.cluster, path: '/read-all?consistency=local' });
  return { id, content, version: versionOf(reply), text: reply.text };
}

/** Takes a snapshot of each node at one log index and compares their digests. Throws when they differ. */
export async function compareDigests(cluster: Cluster): Promise<void> {
  const manifests = await waitUntil(async () => {
    const taken = await Promise.all(cluster.ids.map((id) => takeSnapshot(cluster, id)));
    return new Set(taken.map(({ meta }) => meta.last.index)).size === 1 && taken;
  }, 'snapshots of all nodes at one index');
  const digests = manifests.map(({ digest }) => digest);
  if (new Set(digests).size > 1) throw new Error(`the digests of nodes ${cluster.ids} differ: ${digests}`);
}

async function takeSnapshot(cluster: Cluster, id: number) {
  const reply = await cluster.post(id, '/snapshot', null);
  if (reply.status !== 200) throw new Error(`node ${id} took no snapshot: ${reply.status} ${reply.text}`);
  const folder = join(cluster.node(id).dataDir, 'snapshots');
  const [file, ...others] = readdirSync(folder).filter((name) => name.endsWith('.db'));
  if (file === undefined || others.length > 0) throw new Error(`not one snapshot in ${folder}: ${others}`);
  return verifyBackup(join(folder, file));
}
