import { beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { waitUntil } from './wait-until.ts';
import { findLoss, WriteStream } from './write-stream.ts';

const cluster = useCluster();

beforeAll(() => cluster.form(3));

describe('kill -9 of the leader under a stream of writes', () => {
  test('another leads, nothing acknowledged is lost, and the killed node catches up', async () => {
    const stream = new WriteStream(cluster, 'stream');
    await waitUntil(() => stream.acknowledged.length > 100, 'a hundred acknowledged writes');

    const killed = await cluster.leader();
    const before = (await cluster.metrics(killed)).Ok.current_term;
    await cluster.kill9(killed);
    const killedAt = performance.now();
    const leader = await waitUntil(async () => {
      const { Ok } = await cluster.metrics(await cluster.leader());
      return Ok.current_term > before ? Ok.id : null;
    }, 'a leader of a newer term');
    expect(leader).not.toBe(killed);
    const electedAt = performance.now();
    const sinceElection = stream.acknowledged.length;
    await waitUntil(
      () => stream.acknowledged.length > sinceElection + 100,
      'a hundred more acknowledged writes',
    );

    await cluster.start(killed);
    await stream.stop();
    await cluster.converged();
    for (const id of cluster.ids) {
      expect(findLoss(stream.writes, await cluster.readAll(id)), `node ${id}`).toEqual([]);
    }
    const unknown = stream.writes.length - stream.acknowledged.length - stream.refused.length;
    console.info(
      `fail-over: another leads ${Math.round(electedAt - killedAt)} ms after the kill; of ${stream.writes.length} ` +
        `writes ${stream.refused.length} were refused and ${unknown} have an unknown outcome`,
    );
  });

  test('all nodes hold the same data at the same version', async () => {
    await cluster.converged();
    const contents = await Promise.all(cluster.ids.map((id) => cluster.readAll(id)));
    const versions = await Promise.all(cluster.ids.map((id) => cluster.version(id)));
    for (const content of contents) expect([...content]).toEqual([...(contents[0] ?? [])]);
    expect(new Set(versions).size, `versions ${versions}`).toBe(1);
  });

  test('writes are acknowledged again within seconds of each next kill', async () => {
    for (let round = 1; round <= 3; round += 1) {
      const killed = await cluster.leader();
      const witness = cluster.ids.find((id) => id !== killed) ?? 0;
      await cluster.kill9(killed);
      const killedAt = performance.now();
      await waitUntil(
        () => cluster.write(witness, `round/${round}`, 'written').then(() => true),
        'an acknowledged write without the old leader',
      );
      console.info(
        `fail-over ${round}: first write acknowledged ${Math.round(performance.now() - killedAt)} ms after`,
      );
      await cluster.start(killed);
      expect(await cluster.read(killed, `round/${round}`)).toBe('written');
    }
  });

  test('a leader that hangs is replaced, and follows once it goes on', async () => {
    const hung = await cluster.leader();
    const others = cluster.ids.filter((id) => id !== hung);
    cluster.pause(hung);
    const next = await cluster.leader(others);
    await cluster.write(next, 'hung', 'written by the next leader');
    // Already waiting when it goes on, still believing that it leads.
    const reading = cluster.read(hung, 'hung');
    cluster.resume(hung);
    expect(await reading).toBe('written by the next leader');
    await cluster.write(hung, 'after', 'forwarded');
    await cluster.converged();
  });
});
