import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { end, freePorts, startServer } from './processes.mjs';

const METAD = fileURLToPath(new URL('../../packages/cluster-api/bin/metad.js', import.meta.url));
const READY_LIMIT_MS = 120_000;

/** Three durable nodes on this machine, with default settings, all of them ready; `options` are those of startServer. */
export async function startCluster(dir, options) {
  const nodes = [];
  for (let id = 1; id <= 3; id += 1) nodes.push({ ...(await makeNode(id, dir)), options });
  const initial = nodes.map(({ id, cluster }) => `${id}=127.0.0.1:${cluster}`).join(',');
  for (const node of nodes) startNode(node, ['--initial_cluster', initial]);
  for (const node of nodes) await untilReady(node);
  return {
    nodes,
    leader: () => findLeader(nodes),
    addLearner: async () => {
      const learner = await makeNode(nodes.length + 1, dir);
      startNode(learner, ['--standby']);
      nodes.push(learner);
      await untilAnswered(learner, '/health');
      const added = await post(nodes[0].cluster, '/add-learner', [
        learner.id,
        `127.0.0.1:${learner.cluster}`,
      ]);
      if (added.Ok === undefined) throw new Error(`no learner was added: ${JSON.stringify(added)}`);
      return learner;
    },
    stop: () => Promise.all(nodes.map(({ child }) => end(child, 'SIGTERM'))),
  };
}

async function makeNode(id, dir) {
  const [metadata, manage, cluster] = await freePorts(3);
  return { id, metadata, manage, cluster, dir: join(dir, `node-${id}`), child: null };
}

/** Starts a node's process; without flags that say how to begin it goes on with the data that it has. */
export function startNode(node, begin = []) {
  const ports = { listen: node.metadata, listen_manage: node.manage, listen_cluster: node.cluster };
  const listen = Object.entries(ports).flatMap(([flag, port]) => [`--${flag}`, `127.0.0.1:${port}`]);
  const own = ['--id', String(node.id), '--data_dir', node.dir, '--xff', '--log_level', 'warn'];
  node.child = startServer([METAD, ...own, ...listen, ...begin], node.options);
}

export function untilReady(node) {
  return untilAnswered(node, '/ready');
}

async function untilAnswered(node, path) {
  for (const deadline = Date.now() + READY_LIMIT_MS; Date.now() < deadline; await sleep(10)) {
    if (node.child.exitCode !== null) throw new Error(`node ${node.id} ended:\n${node.child.log}`);
    if ((await statusOf(`http://127.0.0.1:${node.manage}${path}`)) === 200) return;
  }
  throw new Error(`${path} of node ${node.id} never answered 200:\n${node.child.log}`);
}

/** The status of a GET; 0 when nobody answers. */
export async function statusOf(url, headers = {}) {
  try {
    const { statusCode, body } = await request(url, { headers });
    await body.dump();
    return statusCode;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return 0;
    throw error;
  }
}

/** Writes through a node's manage port. */
export async function put(node, path, document) {
  const { statusCode, body } = await request(`http://127.0.0.1:${node.manage}/v1/${path}`, {
    method: 'PUT',
    body: JSON.stringify(document),
  });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`PUT ${path}: ${statusCode} ${text.slice(0, 300)}`);
}

/** The Prometheus metrics of a node, as text. */
export async function metricsOf(node) {
  const { body } = await request(`http://127.0.0.1:${node.manage}/metrics`);
  return body.text();
}

async function post(port, path, document) {
  const { body } = await request(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    body: JSON.stringify(document),
  });
  return body.json();
}

async function findLeader(nodes) {
  const { body } = await request(`http://127.0.0.1:${nodes[0].cluster}/metrics`);
  const { Ok } = await body.json();
  return nodes.find(({ id }) => id === Ok.current_leader);
}
