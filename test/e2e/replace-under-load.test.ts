import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { observe } from './observe.ts';
import { waitUntil } from './wait-until.ts';
import { findLoss, WriteStream } from './write-stream.ts';

// Disks are lost while clients write without a pause, a learner's and then the leader's, and are replaced as the README
// says it: "A lost disk".

const LEARNER = 4;
/** So short a log that who has lost everything needs a snapshot, and more of them are taken while it is sent. */
const SHORT_LOG = ['--snapshot_log_entries', '100', '--snapshot_keep_entries', '10'];

const cluster = useCluster();
let stream: WriteStream;

beforeAll(async () => {
  for (const id of [1, 2, 3, LEARNER]) await cluster.add(id, ...SHORT_LOG);
  await cluster.form(3);
  cluster.launch(LEARNER, '--standby');
  await cluster.listening(LEARNER);
  expect(await cluster.addLearner(1, LEARNER)).toHaveProperty('Ok');
  await cluster.ready(LEARNER);
  stream = new WriteStream(cluster, 'replaced');
});

afterAll(() => stream.stop());

/** Writes go on: some more are acknowledged than were. */
async function served(count = 50): Promise<void> {
  const enough = stream.acknowledged.length + count;
  await waitUntil(() => stream.acknowledged.length >= enough, `${count} more writes`);
}

/** Its machine goes, and with it all that it had; it comes back with the words that it was added with. */
async function loseDisk(id: number): Promise<void> {
  await cluster.kill9(id);
  rmSync(cluster.node(id).dataDir, { recursive: true });
  cluster.launch(id, '--standby');
  await cluster.listening(id);
}

/** Waits until a member says that it refuses the node, and what to do; the node itself serves nobody. */
async function expectRefusal(id: number, through: number): Promise<void> {
  const advice = new RegExp(
    `node ${id} .*another data directory.*remove node ${id} with POST /change-membership .* or POST ` +
      `/remove-learner ${id}; then start it with --standby and an empty data directory, and add it with POST ` +
      `/add-learner \\[${id}, `,
  );
  await waitUntil(() => advice.test(cluster.process(through).log), `what to do about node ${id}`);
  expect((await cluster.manage(id, 'GET', '/ready')).status).toBe(503);
  expect((await cluster.metadata(id, '/', '192.0.2.7')).status).toBe(503);
}

/** The second and the third step: the node with an empty directory is added. */
async function addAgain(id: number, through: number): Promise<void> {
  await cluster.stop(id);
  rmSync(cluster.node(id).dataDir, { recursive: true });
  cluster.launch(id, '--standby');
  await cluster.listening(id);
  expect(await cluster.addLearner(through, id)).toHaveProperty('Ok');
  await cluster.ready(id);
  await waitUntil(() => cluster.process(id).log.includes('installed a snapshot'), 'the log of the install');
}

test('a learner that has lost its disk is refused, removed and added again', async () => {
  await served();
  await loseDisk(LEARNER);
  await expectRefusal(LEARNER, await cluster.leader([1, 2, 3]));
  await served();

  expect((await cluster.post(1, '/remove-learner', LEARNER)).status).toBe(200);
  await addAgain(LEARNER, 1);
  await served();
});

test('so is a voter that led until then; it votes and leads again', async () => {
  await waitUntil(async () => {
    await cluster.post(1, '/transfer-leader', 3);
    return (await cluster.leader([1, 2, 3])) === 3;
  }, 'node 3 to lead');
  await loseDisk(3);
  await expectRefusal(3, await cluster.leader([1, 2]));
  await served();

  expect(await cluster.changeMembership(1, [1, 2])).toMatchObject({
    Ok: { membership: { configs: [[1, 2]] } },
  });
  await addAgain(3, 1);
  expect(await cluster.changeMembership(1, [1, 2, 3])).toMatchObject({
    Ok: { membership: { configs: [[1, 2, 3]] } },
  });
  await served();
  await waitUntil(async () => {
    await cluster.post(1, '/transfer-leader', 3);
    return (await cluster.leader()) === 3;
  }, 'node 3 to lead again');
  await served();
});

test('nothing that was acknowledged is missing, and all nodes hold the same', async () => {
  await stream.stop();
  const { content } = await observe(cluster);
  expect(findLoss(stream.writes, content)).toEqual([]);
  const { length } = stream.acknowledged;
  console.info(
    `${stream.writes.length} writes: ${length} acknowledged, ${stream.refused.length} refused, ` +
      `${stream.writes.length - length - stream.refused.length} unknown`,
  );
});
