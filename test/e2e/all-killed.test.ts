import { beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { waitUntil } from './wait-until.ts';
import { findLoss, type Write, WriteStream } from './write-stream.ts';

const cluster = useCluster();

beforeAll(() => cluster.form(3));

test('kill -9 of all nodes at once under writes: everything acknowledged is there after restart', async () => {
  const writes: Write[] = [];
  for (let round = 1; round <= 3; round += 1) {
    const stream = new WriteStream(cluster, `round-${round}`);
    await waitUntil(() => stream.acknowledged.length > 100, 'a hundred acknowledged writes');
    await cluster.kill9(...cluster.ids);
    await stream.stop();
    writes.push(...stream.writes);

    for (const id of cluster.ids) cluster.launch(id);
    for (const id of cluster.ids) await cluster.ready(id);
    await cluster.converged();
    for (const id of cluster.ids) {
      expect(findLoss(writes, await cluster.readAll(id)), `node ${id} after round ${round}`).toEqual([]);
    }
    const versions = await Promise.all(cluster.ids.map((id) => cluster.version(id)));
    expect(new Set(versions).size, `versions ${versions}`).toBe(1);
    expect(versions[0]).toBeGreaterThanOrEqual(
      writes.filter(({ outcome }) => outcome === 'acknowledged').length,
    );
  }
});
