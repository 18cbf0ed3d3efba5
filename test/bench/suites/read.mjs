import { request } from 'undici';
import { loadCell, measure, until, warmUp } from '../cells.mjs';
import { put, startCluster, untilReady } from '../cluster.mjs';
import { startBareHttp } from '../processes.mjs';
import { printGoals, printRates } from '../report.mjs';

const CONNECTIONS = 64;
const CLIENT = '192.0.2.7';
const WARM_UP_SECONDS = 3;
const JSON_TYPE = 'application/json';

/** Answers that node:http repeats; `atLeast`: the share of its rate that is aimed at. */
const ANSWERS = [
  { title: 'GET /self/node, JSON', path: '/self/node', accept: JSON_TYPE, atLeast: 0.8 },
  { title: 'GET /self/node, text', path: '/self/node', accept: 'text/plain', atLeast: 0.8 },
  { title: 'GET /self/hundred, JSON: 100 leaves', path: '/self/hundred', accept: JSON_TYPE, atLeast: 0.6 },
];

/** Metadata reads, beside node:http that answers the same bytes; then reads that ask the leader first. */
export async function measureReads({ dir, seconds, passes, scale }) {
  const cluster = await startCluster(dir);
  const learner = await cluster.addLearner();
  await untilReady(learner);
  const leader = await cluster.leader();
  const follower = cluster.nodes.find(({ id }) => id !== leader.id);
  await prepareClient(leader);

  const bare = [];
  const cells = [];
  const cell = (name, port, template) =>
    cells.push(loadCell({ name, ports: [port], connections: CONNECTIONS, request: template, seconds }));
  for (const { title, path, accept } of ANSWERS) {
    const template = get(path, accept);
    const server = await startBareHttp(await recordAnswer(follower.metadata, path, accept));
    bare.push(server);
    cell(`node:http, bytes of ${title}`, server.port, template);
    cell(`${title}, a follower`, follower.metadata, template);
  }
  for (const [node, role] of [
    [follower, 'a follower'],
    [learner, 'a learner'],
  ]) {
    cell(`local, ${role}`, node.metadata, get('/self/node', JSON_TYPE));
    cell(`linearizable, ${role}`, node.metadata, get('/self/node?consistency=linearizable', JSON_TYPE));
  }
  const kv = { method: 'POST', path: '/read', body: '"nodes/2/ip"' };
  cell('POST /read (linearizable), a follower', follower.cluster, kv);
  cell('POST /read (linearizable), the leader', leader.cluster, kv);

  const warmUpSeconds = Math.max(WARM_UP_SECONDS * scale, 0.2);
  console.log(
    `Three voters and a learner. Warm-up: ${warmUpSeconds} s for each cell, node:http's included.\n`,
  );
  await warmUp(cells, warmUpSeconds);
  const rows = await measure(cells, passes);
  await Promise.all([cluster.stop(), ...bare.map(({ stop }) => stop())]);
  report(rows);
}

function get(path, accept) {
  return { method: 'GET', path, headers: `Accept: ${accept}\r\nX-Forwarded-For: ${CLIENT}\r\n` };
}

function report(rows) {
  const bareOf = (i) => rows[i - (i % 2)];
  printRates('reads', rows, (row) => {
    const i = rows.indexOf(row);
    // Pairs, what is compared with first; and what has no pair stands beside local reads.
    return (i < 2 * ANSWERS.length + 4 ? bareOf(i) : rows[2 * ANSWERS.length]).perSecond;
  });
  const goals = [];
  for (const [i, { title, atLeast }] of ANSWERS.entries()) {
    const [bare, own] = [rows[2 * i], rows[2 * i + 1]];
    goals.push({ goal: `${title}: rate / node:http`, measured: own.perSecond / bare.perSecond, atLeast });
    goals.push({ goal: `${title}: p99 / node:http`, measured: own.p99Ms / bare.p99Ms, atMost: 2 });
  }
  for (const [i, role] of ['a follower', 'a learner'].entries()) {
    const [local, own] = rows.slice(2 * ANSWERS.length + 2 * i);
    const goal = `linearizable / local, ${role}`;
    goals.push({ goal, measured: own.perSecond / local.perSecond, atLeast: 0.5 });
  }
  printGoals(goals);
}

async function prepareClient(node) {
  const document = (id) => ({ ip: `192.0.2.${id}`, name: `node${id}`, label: { zone: 'a', role: 'worker' } });
  const numbered = (count, of) => Object.fromEntries(Array.from({ length: count }, (_, i) => [i, of(i)]));
  await put(node, 'data', {
    nodes: numbered(200, document),
    hundred: numbered(100, (i) => `value-${i}-of-100`),
  });
  await put(node, 'mapping', { [CLIENT]: { node: '/nodes/2', hundred: '/hundred' } });
}

/** The answer that the bare server is to repeat; a node may be a moment behind the writes. */
async function recordAnswer(port, path, accept) {
  const headers = { Accept: accept, 'X-Forwarded-For': CLIENT };
  return until(
    async () => {
      const answer = await request(`http://127.0.0.1:${port}${path}?consistency=linearizable`, { headers });
      const body = await answer.body.text();
      if (answer.statusCode !== 200) return null;
      const { date, connection, 'keep-alive': keepAlive, ...kept } = answer.headers;
      return { headers: kept, body };
    },
    { what: `GET ${path}`, limitMs: 10_000 },
  );
}
