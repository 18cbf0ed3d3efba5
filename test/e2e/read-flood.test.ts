import http from 'node:http';
import { beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { findLoss, WriteStream } from './write-stream.ts';

const cluster = useCluster();
const client = '192.0.2.7';
const CONNECTIONS = 64;
const READS = 15_000;
/** Some reads are of everything: big enough to take their time. */
const BIG_READ_EVERY = 50;

beforeAll(async () => {
  // Shorter than the flood, and long enough that a busy machine alone does not make an election.
  await cluster.form(3, '--election_timeout', '2s');
  const hosts = Object.fromEntries(
    Array.from({ length: 2_000 }, (_, number) => [
      `host-${number}`,
      { name: `name-${number}`, ip: '192.0.2.1' },
    ]),
  );
  await cluster.manage(1, 'PUT', '/v1/data', { hosts });
  await cluster.manage(1, 'PUT', '/v1/mapping', { [client]: { host: '/hosts/host-7' } });
  await cluster.manage(1, 'PUT', '/v1/rule', { [client]: [{ path: '/', mode: 1 }] });
  await cluster.converged();
});

function read(port: number, path: string, agent: http.Agent): Promise<number> {
  const headers = { Accept: 'application/json', 'X-Forwarded-For': client };
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent, headers }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
      response.once('error', reject);
    });
    request.once('error', reject);
  });
}

/** Reads on every connection as fast as they are answered; gives how often each status came. */
async function flood(port: number): Promise<Record<number, number>> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const statuses: Record<number, number> = {};
  let left = READS;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const status = await read(port, left % BIG_READ_EVERY === 0 ? '/hosts' : '/self/host', agent);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  agent.destroy();
  return statuses;
}

test('a flood of metadata reads on the leader causes no change of term or leader', async () => {
  const leader = await cluster.leader();
  const { current_term: term } = (await cluster.metrics(leader)).Ok;
  const writes = new WriteStream(cluster, 'during', 1);
  const started = performance.now();
  const statuses = await flood(cluster.node(leader).ports.metadata);
  const seconds = (performance.now() - started) / 1000;
  await writes.stop();

  expect(statuses).toEqual({ 200: READS });
  expect(await cluster.leader()).toBe(leader);
  for (const id of cluster.ids) expect((await cluster.metrics(id)).Ok.current_term, `node ${id}`).toBe(term);
  expect(writes.acknowledged.length, 'every write beside it is acknowledged').toBe(writes.writes.length);
  expect(findLoss(writes.writes, await cluster.readAll(leader))).toEqual([]);
  console.info(
    `read flood: ${Math.round(READS / seconds)} reads/s, ${writes.writes.length} writes beside them`,
  );
});
