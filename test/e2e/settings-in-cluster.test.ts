import { beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { type Reply, send } from './http.ts';
import { waitUntil } from './wait-until.ts';

// Two voters and a learner, told to be patient: while one voter hangs, the other goes on leading, and every write waits.
// What may wait, and for how long, is what these settings say.

const cluster = useCluster();
const LEADER = 1;
const VOTER = 2;
const LEARNER = 3;
const STANDBY = 4;
const MAX_INFLIGHT = { leader: 5, learner: 2 };
const HASTE = ['--propose_timeout', '100ms'];
const PATIENCE = ['--propose_timeout', '20s'];

beforeAll(async () => {
  for (const id of [LEADER, VOTER, LEARNER, STANDBY]) {
    await cluster.add(id, '--election_timeout', '1m', '--heartbeat_interval', '50ms');
  }
  await cluster.start(
    LEADER,
    ...['--max_inflight_proposals', String(MAX_INFLIGHT.leader)],
    ...['--max_uncommitted_size', '4KiB', '--max_body_size', '2KiB', ...PATIENCE],
  );
  cluster.launch(VOTER, '--join', cluster.node(LEADER).addr, ...HASTE);
  await cluster.ready(VOTER);
  expect(await cluster.changeMembership(LEADER, [LEADER, VOTER])).toHaveProperty('Ok');
  await startLearner(...PATIENCE);
  await cluster.converged();
});

async function startLearner(...flags: string[]): Promise<void> {
  const { addr } = cluster.node(LEADER);
  const inflight = ['--max_inflight_proposals', String(MAX_INFLIGHT.learner)];
  cluster.launch(LEARNER, '--join', addr, ...inflight, ...flags);
  await cluster.ready(LEARNER);
}

function put(id: number, value = 'x'): Promise<Reply> {
  return cluster.post(id, '/write', { Put: { key: 'a', value } });
}

/** Starts one write more than there is room for, and gives the others once that one is refused. */
async function fill(id: number, room: number, value = 'x'): Promise<Promise<Reply>[]> {
  const writes = Array.from({ length: room + 1 }, () => put(id, value));
  const { first, reply } = await Promise.race(
    writes.map(async (write) => ({ first: write, reply: await write })),
  );
  expect([reply.status, reply.text]).toEqual([503, '"Err"']);
  expect(reply.headers).toMatchObject({
    'x-metad-error': expect.stringMatching(/too many writes/),
    'retry-after': expect.stringMatching(/^\d+$/),
  });
  return writes.filter((write) => write !== first);
}

async function whileHanging<T>(id: number, act: () => Promise<T>): Promise<T> {
  cluster.pause(id);
  try {
    return await act();
  } finally {
    cluster.resume(id);
  }
}

async function lastLogIndex(): Promise<number> {
  return (await cluster.metrics(LEADER)).Ok.last_log_index ?? 0;
}

/** Resolves to whichever comes first: the answer, or the end of a read on that node that waits for two seconds. */
function beforeTwoSeconds(node: number, answer: Promise<Reply>): Promise<Reply> {
  const { metadata: port } = cluster.node(node).ports;
  return Promise.race([answer, send({ port, path: '/?wait=true&timeout=2' })]);
}

test('max_inflight_proposals holds for the node that is asked, and for all that the leader is asked for', async () => {
  const writes = await whileHanging(VOTER, async () => {
    const before = await lastLogIndex();
    const throughLearner = await fill(LEARNER, MAX_INFLIGHT.learner);
    await waitUntil(
      async () => (await lastLogIndex()) === before + MAX_INFLIGHT.learner,
      'the leader to have what the learner was asked for',
    );
    const room = MAX_INFLIGHT.leader - MAX_INFLIGHT.learner;
    return [...throughLearner, ...(await fill(LEADER, room))];
  });
  for (const reply of await Promise.all(writes)) expect([reply.status, reply.text]).toEqual([200, '"OK"']);
});

test('max_uncommitted_size holds for what waits for its commit', async () => {
  const writes = await whileHanging(VOTER, () => fill(LEADER, 2, 'x'.repeat(1500)));
  for (const reply of await Promise.all(writes)) expect([reply.status, reply.text]).toEqual([200, '"OK"']);
});

test('propose_timeout: a node that asks the leader gives up before a wait of two seconds ends', async () => {
  await cluster.stop(LEARNER);
  await startLearner(...HASTE);
  const reply = await whileHanging(VOTER, () => beforeTwoSeconds(LEADER, put(LEARNER)));
  expect([reply.status, reply.text]).toEqual([504, '"Err"']);
});

test('propose_timeout: so does a leader', async () => {
  expect(await cluster.post(LEADER, '/transfer-leader', VOTER)).toMatchObject({ status: 200 });
  await waitUntil(async () => (await cluster.leader()) === VOTER, 'the other voter to lead');
  const reply = await whileHanging(LEADER, () => beforeTwoSeconds(VOTER, put(VOTER)));
  expect([reply.status, reply.text]).toEqual([504, '"Err"']);
});

test('leader_wait: a node without a cluster refuses a write before a wait of two seconds ends', async () => {
  cluster.launch(STANDBY, '--standby', '--leader_wait', '0');
  await cluster.listening(STANDBY);
  const reply = await beforeTwoSeconds(VOTER, put(STANDBY));
  expect([reply.status, reply.text]).toEqual([503, '"Err"']);
});
