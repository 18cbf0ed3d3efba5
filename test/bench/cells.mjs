import { request } from 'undici';
import { startEtcd } from './etcd.mjs';
import { runJob, startBareHttp } from './processes.mjs';

/**
 * @typedef {{
 *   ports: { port: number }[],
 *   connections: number,
 *   seconds: number,
 *   warmUpSeconds: number,
 *   request: { method: string, path: string, headers?: string, body?: string },
 * }} Job What load.mjs is told; `{c}` and `{n}` in path and body become the connection's and the request's number,
 *   `{n8}` the number with leading zeros.
 */

const CONNECTIONS = [1, 16, 64, 256];
const READ_CONNECTIONS = 64;
const WARM_UP_SECONDS = 1;
const CLIENT = '192.0.2.7';
const VALUE = 'v'.repeat(90);

/** One row of the table; `limit` is the perSecond of what stands as 1.00. */
function row(name, connections, result, limit) {
  return { name, connections, ...result, limit };
}

const loadAt = (seconds) => (ports, connections, template) =>
  runJob('load.mjs', {
    ports: ports.map((port) => ({ port })),
    connections,
    seconds,
    warmUpSeconds: WARM_UP_SECONDS,
    request: template,
  });

/** Durable writes on three nodes, beside one synced SQLite transaction per write. */
export async function measureWrites({ cluster, dir, seconds }) {
  const load = loadAt(seconds);
  const bare = await runJob('bare-sqlite.mjs', { dir, seconds, value: VALUE });
  const limit = bare.perSecond;
  const rows = [row('one SQLite commit per write, no cluster', 1, bare, limit)];
  const kv = { method: 'POST', path: '/write', body: `{"Put":{"key":"bench/{c}/k","value":"{n} ${VALUE}"}}` };
  const manage = { method: 'PUT', path: '/v1/data/bench/{c}/k', body: `"{n} ${VALUE}"` };
  const leader = await cluster.leader();
  for (const connections of CONNECTIONS) {
    rows.push(
      row('POST /write, to the leader', connections, await load([leader.cluster], connections, kv), limit),
    );
  }
  for (const connections of CONNECTIONS) {
    const result = await load([leader.manage], connections, manage);
    rows.push(row('PUT /v1/data, to the leader', connections, result, limit));
  }
  const everywhere = cluster.nodes.map((node) => node.cluster);
  rows.push(row('POST /write, to all nodes', 64, await load(everywhere, 64, kv), limit));
  return rows;
}

/** The same writes on three members of etcd, through its JSON gateway; `limit` as for metad's. */
export async function measureEtcd({ dir, seconds, limit }) {
  const etcd = await startEtcd(dir);
  const load = loadAt(seconds);
  const rows = [];
  // Base64, as the gateway wants: what is put together of whole groups of four is valid whatever the numbers are.
  const body = `{"key":"YmVuY2gv{c4}","value":"${'dmFs'.repeat(31)}{n8}"}`;
  for (const connections of CONNECTIONS) {
    const result = await load([etcd.leader.client], connections, {
      method: 'POST',
      path: '/v3/kv/put',
      body,
    });
    rows.push(row('etcd, POST /v3/kv/put, to the leader', connections, result, limit));
  }
  await etcd.stop();
  return rows;
}

/** Metadata reads of one node, beside node:http answering the same bytes; then reads that ask the leader first. */
export async function measureReads({ cluster, seconds }) {
  const load = loadAt(seconds);
  const leader = await cluster.leader();
  const follower = cluster.nodes.find(({ id }) => id !== leader.id);
  await prepareClient(leader);
  const headers = `Accept: application/json\r\nX-Forwarded-For: ${CLIENT}\r\n`;
  const self = { method: 'GET', path: '/self/node', headers };
  const bare = await startBareHttp(await recordResponse(follower.metadata, self.path));
  const limits = await load([bare.port], READ_CONNECTIONS, self);
  const local = await load([follower.metadata], READ_CONNECTIONS, self);
  const again = await load([bare.port], READ_CONNECTIONS, self);
  await bare.stop();

  const limit = (limits.perSecond + again.perSecond) / 2;
  const linearizable = { ...self, path: `${self.path}?consistency=linearizable` };
  const kv = { method: 'POST', path: '/read', body: '"nodes/2/ip"' };
  return [
    row('bare node:http, same bytes, before', READ_CONNECTIONS, limits, limit),
    row('bare node:http, same bytes, after', READ_CONNECTIONS, again, limit),
    row('GET /self/node (local), a follower', READ_CONNECTIONS, local, limit),
    row(
      'GET /self/node?consistency=linearizable, a follower',
      READ_CONNECTIONS,
      await load([follower.metadata], READ_CONNECTIONS, linearizable),
      limit,
    ),
    row(
      'POST /read (linearizable), a follower',
      READ_CONNECTIONS,
      await load([follower.cluster], READ_CONNECTIONS, kv),
      limit,
    ),
    row(
      'POST /read (linearizable), the leader',
      READ_CONNECTIONS,
      await load([leader.cluster], READ_CONNECTIONS, kv),
      limit,
    ),
  ];
}

async function prepareClient({ manage }) {
  const put = async (path, document) => {
    const { statusCode, body } = await request(`http://127.0.0.1:${manage}/v1/${path}`, {
      method: 'PUT',
      body: JSON.stringify(document),
    });
    if (statusCode !== 200) throw new Error(`PUT ${path}: ${statusCode} ${await body.text()}`);
    await body.dump();
  };
  const node = (id) => [id, { ip: `192.0.2.${id}`, name: `node${id}`, label: { zone: 'a', role: 'worker' } }];
  await put('data', { nodes: Object.fromEntries(Array.from({ length: 200 }, (_, id) => node(id))) });
  await put('mapping', { [CLIENT]: { node: '/nodes/2' } });
}

/** The answer that the bare server is to repeat. The follower may be a moment behind the writes: it is asked linearizably. */
async function recordResponse(port, path) {
  const { statusCode, headers, body } = await request(
    `http://127.0.0.1:${port}${path}?consistency=linearizable`,
    {
      headers: { Accept: 'application/json', 'X-Forwarded-For': CLIENT },
    },
  );
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`GET ${path}: ${statusCode} ${text}`);
  const { date, connection, 'keep-alive': keepAlive, ...kept } = headers;
  return { status: statusCode, headers: kept, body: text };
}
